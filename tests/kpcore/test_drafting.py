"""Drafts: asked for within a block, used where they are faster, and nothing is left of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from kpcore import drafting
from kpcore.api import KeypointModel
from kpcore.checkpoint import load
from kpcore.latents import Latents
from kpcore.nn import half_precision

SHIPPED = Path(__file__).parents[2] / "resources" / "checkpoints"
A_LEVEL = 1.0 / 255.0


@pytest.fixture
def fast_in_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for a processor that convolves faster in half precision."""
    monkeypatch.setattr(half_precision, "is_faster_in_half", lambda: True)


def test_a_draft_is_asked_for_within_the_block_and_in_its_thread() -> None:
    seen: list[bool] = []
    assert not drafting.is_drafting()
    with drafting.drafting():
        with drafting.drafting():
            assert drafting.is_drafting()
        assert drafting.is_drafting()
        other = threading.Thread(target=lambda: seen.append(drafting.is_drafting()))
        other.start()
        other.join()
    assert not drafting.is_drafting()
    assert seen == [False]


@pytest.mark.parametrize(("share", "gains"), [(0.5, True), (0.95, False), (1.5, False)])
def test_drafts_are_used_where_they_are_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, share: float, gains: bool
) -> None:
    now = [0.0]

    def work() -> None:
        now[0] += share if drafting.is_drafting() else 1.0

    monkeypatch.setattr(drafting.time, "perf_counter", lambda: now[0])
    assert drafting.gains_by_drafts(work) is gains


@pytest.mark.usefixtures("fast_in_half")
@pytest.mark.parametrize("name", ["keynet", "keypoint-pyramids", "lmdis", "transporter", "tusk"])
@torch.inference_mode()
def test_drafts_of_shipped_models_are_close_and_leave_nothing(name: str) -> None:
    model = load(SHIPPED / f"{name}.safetensors")
    encoding = model.encode(_picture(model))
    decode, moved = model.decoder_for(encoding), _moved(encoding.latents)
    exact = decode(moved).image
    with drafting.drafting():
        rough = decode(moved).image
    assert 0.0 < float((rough - exact).abs().mean()) < A_LEVEL
    assert torch.allclose(decode(moved).image, exact, atol=1e-5)


def _picture(model: KeypointModel) -> torch.Tensor:
    chance = torch.Generator().manual_seed(0)
    rough = torch.rand(1, 3, 6, 6, generator=chance)
    size = model.capabilities.image_size
    return torch.nn.functional.interpolate(rough, size, mode="bilinear")


def _moved(latents: Latents) -> Latents:
    x, y = latents.position[0, 0].tolist()
    return latents.with_rows("position", [0], [(x - 0.2 if x > 0 else x + 0.2, y)])
