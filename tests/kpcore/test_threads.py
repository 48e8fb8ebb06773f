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


@pytest.mark.parametrize(("cores", "spare", "tried"), [(2, 1, {1}), (5, 1, {1, 2, 4}), (1, 1, {1})])
def test_no_more_threads_are_tried_than_cores_are_free(
    monkeypatch: pytest.MonkeyPatch, usual: int, cores: int, spare: int, tried: set[int]
) -> None:
    monkeypatch.setattr(threads, "cores_allowed", lambda: cores)
    seen: set[int] = set()
    chosen = threads.choose_threads(lambda: seen.add(torch.get_num_threads()), spare)
    assert seen == tried
    assert chosen in tried
