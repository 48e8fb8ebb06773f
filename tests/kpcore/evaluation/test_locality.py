"""Locality: a model that moves only a dot is local, one that answers everywhere is not."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from torch import nn

from kpcore.api import Context, Decoding, Encoding, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.errors import CapabilityError
from kpcore.evaluation import locality, protocols
from kpcore.latents import Latents, Topology
from kpcore.nn.keypoint_head import keypoint_maps

SIZE = 32


class Dots(KeypointModel):
    """Paints a soft dot for each of two particles; `leak` lets the ground answer to them."""

    def __init__(self, leak: float = 0.0, movable: bool = True) -> None:
        super().__init__()
        self.leak, self.movable = leak, movable
        self.weight = nn.Parameter(torch.zeros(1))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities((SIZE, SIZE), 2, movable=self.movable)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        places = torch.tensor([[-0.4, 0.1], [0.5, -0.3]]).expand(len(image), -1, -1)
        return Encoding(Latents(places, Topology.flat(2)))

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        dots = keypoint_maps(latents.position, SIZE, 0.15).sum(1, keepdim=True)
        ground = self.leak * latents.position.sum((1, 2))[:, None, None, None]
        return Decoding((0.5 * dots + ground + 0.2).expand(-1, 3, -1, -1).clamp(0.0, 1.0))


def test_dots_are_local_and_a_leak_shows() -> None:
    pictures = torch.rand(4, 3, SIZE, SIZE)
    good = locality.measure(Dots(), pictures)
    leaky = locality.measure(Dots(leak=0.3), pictures)
    assert good.moves == 8
    assert good.ratio > 1e3
    assert leaky.ratio < 20.0
    assert good.near > 10.0
    assert good.elsewhere < 0.01 < leaky.elsewhere


def test_psnr_is_that_of_the_unedited_reconstruction() -> None:
    model = Dots()
    latents = model.encode(torch.rand(1, 3, SIZE, SIZE)).latents
    picture = model.decode(latents).image + 0.1
    assert locality.measure(model, picture).psnr_db == pytest.approx(20.0, abs=1e-3)


def test_particles_that_stay_are_refused() -> None:
    with pytest.raises(CapabilityError, match="cannot be moved"):
        locality.measure(Dots(movable=False), torch.rand(1, 3, SIZE, SIZE))


def test_the_protocol_measures_held_out_pictures() -> None:
    protocol = protocols.get("locality")
    subject = protocols.Subject(Dots().eval(), Path("dots.safetensors"), "shapes")
    report = protocol.run(subject, protocol.options(pictures=3, moves=1))
    assert report.facts["moves"] == 3
    assert report.tables[0].rows[-1][1] == report.facts["ratio"]


class Watcher(Dots):
    """Keeps the red of the corners of each picture that it is shown, top left and bottom right."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        corners = (image[:, 0, 0, 0], image[:, 0, -1, -1])
        self.seen += zip(*((c * 255).round().int().tolist() for c in corners), strict=True)
        return super().encode(image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clips of ten pictures: of clip and frame left, white right, 64 wide and 32 high."""
    for clip in range(3):
        (tmp_path / f"clip{clip}").mkdir()
        for frame in range(10):
            picture = np.full((32, 64, 3), 255, np.uint8)
            picture[:, :32] = 50 * clip + frame
            iio.imwrite(tmp_path / f"clip{clip}" / f"{frame:03d}.png", picture)
    return tmp_path


def watched(data: Path, trained_on: dict[str, object]) -> list[tuple[int, int]]:
    protocol, model = protocols.get("locality"), Watcher().eval()
    subject = protocols.Subject(model, Path("dots.safetensors"), str(data), trained_on)
    protocol.run(subject, protocol.options(moves=1))
    return model.seen


def test_files_are_held_out_framed_and_strided_as_in_training(folder: Path) -> None:
    box = {"fit": "crop", "box": [0, 0, 32, 32]}
    options = {"framing": box, "options": {"stride": 4}}
    left = watched(folder, {"held_out": ["clip0", "clip2"], **options})
    assert left == [(v, v) for v in (0, 4, 8, 100, 104, 108)]
    end = watched(folder / "clip1", {"held_out": ["clip1: last 2 of 3 frames"], **options})
    assert end == [(v, v) for v in (54, 58)]


def test_files_that_training_did_not_know_are_all_used(folder: Path) -> None:
    seen = watched(folder / "clip1", {"held_out": ["elsewhere"]})
    assert seen == [(50 + frame, 255) for frame in range(10)]
