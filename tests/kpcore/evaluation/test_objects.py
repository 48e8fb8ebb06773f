"""The measure itself: a perfect model passes, and each flaw fails its own figure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from kpcore.api import Context, Decoding, Encoding, Image, KeypointModel, Layers
from kpcore.capabilities import Capabilities
from kpcore.data.synthetic.multi_dsprites import MultiDSprites
from kpcore.data.synthetic.scene import Scene
from kpcore.errors import CapabilityError
from kpcore.evaluation.objects import measure
from kpcore.geometry.windows import cut_windows
from kpcore.latents import Latents, Topology
from kpcore.models.dlp_compact.config import CompactConfig
from kpcore.models.dlp_compact.model import CompactDLP

SIZE, GLIMPSE, SLOTS = 64, 20, 6


class Oracle(KeypointModel):
    """Knows the truth of its scenes, and can be told to spoil it."""

    def __init__(
        self,
        scenes: list[Scene],
        *,
        offset_px: float = 0.0,
        ghost: bool = False,
        doubled: bool = False,
        blob: bool = False,
        leak: float = 0.0,
    ) -> None:
        super().__init__()
        self.scenes = {scene.image.tobytes(): scene for scene in scenes}
        self.offset_px, self.ghost, self.doubled = offset_px, ghost, doubled
        self.blob, self.leak = blob, leak
        self.seen: dict[float, tuple[Tensor, Tensor]] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities((SIZE, SIZE), SLOTS, presence="gate", layers=True, glimpse_px=GLIMPSE)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        rows = [self._particles(picture) for picture in image]
        position, presence, key = (torch.stack(part) for part in zip(*rows, strict=True))
        return Encoding(Latents(position, Topology.flat(SLOTS), presence=presence, background=key))

    def _particles(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scene = self.scenes[picture.numpy().tobytes()]
        key = float(len(self.seen))
        position, presence = torch.zeros(SLOTS, 2), torch.zeros(SLOTS)
        patches = torch.zeros(SLOTS, 4, GLIMPSE, GLIMPSE)
        count = len(scene.position)
        for k in range(count):
            place = torch.from_numpy(scene.position[k : k + 1]).view(1, 1, 2)
            place = ((place + 1) * SIZE / 2).round() * 2 / SIZE - 1
            if self.offset_px:
                place = place + self.offset_px * 2 / SIZE
            layer = np.concatenate([scene.image, scene.mask[k : k + 1]]).astype(np.float32)
            patches[k] = cut_windows(torch.from_numpy(layer)[None], place, GLIMPSE)[0, 0]
            if self.blob:
                patches[k] = 0.0
                patches[k, :, 8:13, 8:13] = 1.0
            position[k], presence[k] = place[0, 0], 1.0
        if self.doubled and count:
            position[count], presence[count] = position[0] + 2 / SIZE, 1.0
        background = picture.clone() if self.ghost else torch.zeros_like(picture)
        self.seen[key] = (patches, background)
        return position, presence, torch.tensor([key])

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        assert latents.background is not None
        found = [self.seen[float(key)] for key in latents.background[:, 0]]
        patches = torch.stack([patch for patch, _ in found])
        background = torch.stack([ground for _, ground in found])
        if self.leak:
            background = background + self.leak * latents.position.sum((1, 2))[:, None, None, None]
        layers = Layers(patches, background)
        return Decoding(layers.composite(latents), layers)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [MultiDSprites(least=1).sample(0, index, SIZE) for index in range(24)]


def test_a_perfect_model_passes_everything(scenes: list[Scene]) -> None:
    figures = measure(Oracle(scenes), scenes)
    assert figures.objects == sum(len(scene.position) for scene in scenes)
    assert figures.moves >= 0.8 * figures.objects
    assert figures.recall_3px == 100.0
    assert figures.moved_within_1_5px == 100.0
    assert figures.moved_strict == 100.0
    assert figures.psnr_elsewhere_db == 60.0
    assert figures.duplicates == 0.0
    assert figures.psnr_db > 30.0
    assert figures.present == pytest.approx(figures.objects / len(scenes))


def test_particles_beside_their_objects_are_not_recalled(scenes: list[Scene]) -> None:
    figures = measure(Oracle(scenes, offset_px=3.0), scenes)
    assert figures.recall_3px < 10.0


def test_an_object_left_behind_is_not_moved(scenes: list[Scene]) -> None:
    figures = measure(Oracle(scenes, ghost=True), scenes)
    assert figures.moved_within_1_5px == 0.0
    assert figures.recall_3px == 100.0


def test_a_blob_that_moves_with_the_particle_is_not_the_object(scenes: list[Scene]) -> None:
    figures = measure(Oracle(scenes, blob=True), scenes)
    assert figures.moved_strict < 20.0


def test_two_particles_on_one_object_are_a_duplicate(scenes: list[Scene]) -> None:
    figures = measure(Oracle(scenes, doubled=True), scenes)
    assert figures.duplicates == pytest.approx(100.0 * len(scenes) / figures.objects)


def test_a_change_elsewhere_is_seen(scenes: list[Scene]) -> None:
    figures = measure(Oracle(scenes, leak=0.1), scenes)
    assert figures.psnr_elsewhere_db < 45.0


def test_an_untrained_network_fails_the_strict_figure() -> None:
    torch.manual_seed(0)
    model = CompactDLP(CompactConfig(image_size=64, glimpse_px=16, prior_patch_px=8)).eval()
    scenes = [MultiDSprites(least=2).sample(0, index, 64) for index in range(12)]
    figures = measure(model, scenes)
    assert figures.moved_strict < 50.0
    assert figures.recall_3px < 50.0


def test_a_model_without_presence_is_refused(scenes: list[Scene]) -> None:
    class Masked(Oracle):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities((SIZE, SIZE), SLOTS)

    with pytest.raises(CapabilityError, match="presence"):
        measure(Masked(scenes), scenes)
