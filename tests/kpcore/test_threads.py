from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from kpcore import threads


@pytest.fixture
def usual() -> Iterator[int]:
    count = torch.get_num_threads()
    yield count
    torch.set_num_threads(count)


@pytest.mark.parametrize(
    ("cores", "before", "during"), [(4, 4, 3), (4, 2, 2), (2, 2, 1), (1, 1, 1)]
)
def test_one_core_is_spared_and_given_back(
    monkeypatch: pytest.MonkeyPatch, usual: int, cores: int, before: int, during: int
) -> None:
    monkeypatch.setattr(threads, "cores_allowed", lambda: cores)
    torch.set_num_threads(before)
    with threads.one_core_spared():
        assert torch.get_num_threads() == during
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("cores", "most"), [(8, 4), (4, 2), (2, 1), (1, 1)])
def test_the_window_keeps_a_core_however_fast_more_threads_are(
    monkeypatch: pytest.MonkeyPatch, usual: int, cores: int, most: int
) -> None:
    monkeypatch.setattr(threads, "cores_allowed", lambda: cores)
    monkeypatch.setattr(threads, "_median_ms", lambda work: 100.0 / torch.get_num_threads())
    assert threads.choose_threads(lambda: None) == most
    assert torch.get_num_threads() == most
