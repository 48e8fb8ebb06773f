"""The protocols of MNIST-Hard and of object discovery, on models that are right by construction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kpcore.api import Context, Decoding, Encoding, Image, KeypointModel, Layers
from kpcore.capabilities import Capabilities
from kpcore.data.labelled_scenes import SceneLabels
from kpcore.errors import CapabilityError, InputError
from kpcore.evaluation import protocols
from kpcore.evaluation.protocols import Subject
from kpcore.evaluation.protocols.looking import shares
from kpcore.latents import Latents, Topology

SIDE = 40


class Oracle(KeypointModel):
    """Answers with the truth of the pictures it is asked about, in their order."""

    def __init__(self, scenes: str, attribute: str, wrong: int = 0, alphas: bool = True) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(()))
        self._labels = SceneLabels(scenes, SIDE, 10)
        self._rows = iter(self._labels.rows("test"))
        self._attribute, self._wrong, self._alphas = attribute, wrong, alphas
        self._values: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities((SIDE, SIDE), 9, prototypes=20, alphas=self._alphas)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        labels = [self._labels.labels(next(self._rows)) for _ in image]
        position = torch.tensor([[o.position for o in one.objects] for one in labels])
        position[:, : self._wrong] += 0.9
        for one in labels:
            for item in one.objects:
                if item.attributes[self._attribute] not in self._values:
                    self._values.append(item.attributes[self._attribute])
        prototype = torch.tensor(
            [
                [self._values.index(o.attributes[self._attribute]) for o in one.objects]
                for one in labels
            ]
        )
        masks = torch.stack([torch.from_numpy(one.masks).float() for one in labels])
        latents = Latents(position, Topology.flat(position.shape[1]), prototype=prototype)
        return Encoding(latents, {"masks": masks})

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        assert context is not None
        image = torch.zeros(len(latents.position), 3, SIDE, SIDE)
        return Decoding(image, alphas=context["masks"] if self._alphas else None)


def judge(protocol: str, model: KeypointModel, data: str) -> dict[str, float]:
    chosen = protocols.get(protocol)
    subject = Subject(model, Path("oracle.safetensors"), data)
    report = chosen.run(subject, replace(chosen.options(), pictures=10))
    return dict(report.tables[0].rows)  # type: ignore[arg-type]


def test_the_truth_finds_and_tells_every_digit():
    figures = judge("digits", Oracle("mnist-hard", "digit"), "mnist-hard")
    assert all(value == 100.0 for value in figures.values())


def test_keypoints_beside_their_digits_find_none():
    figures = judge("digits", Oracle("mnist-hard", "digit", wrong=3), "mnist-hard")
    assert figures["localisation"] <= 100.0 * 6.5 / 9.0
    assert figures["classification"] > 90.0


def test_digits_want_data_with_digits():
    with pytest.raises(InputError, match="no digits"):
        judge("digits", Oracle("tetrominoes", "colour"), "tetrominoes")


def test_true_masks_agree_and_prototypes_of_colours_tell_colours_only():
    figures = judge("discovery", Oracle("tetrominoes", "colour"), "tetrominoes")
    assert figures["foreground ARI"] == 100.0
    assert figures["colour told by prototype"] == 100.0
    assert figures["shape told by prototype"] < 60.0


def test_a_model_without_masks_cannot_discover():
    with pytest.raises(CapabilityError, match="neither alphas nor layers"):
        judge("discovery", Oracle("tetrominoes", "colour", alphas=False), "tetrominoes")


def test_layers_share_pixels_as_they_cover_each_other():
    patches = torch.ones(1, 2, 4, 4, 4)
    latents = Latents(torch.zeros(1, 2, 2), Topology.flat(2), presence=torch.tensor([[0.75, 1.0]]))
    layers = Layers(patches, torch.zeros(1, 3, 8, 8), "over")
    seen = shares(Decoding(layers.composite(latents), layers), latents)
    assert seen is not None
    assert seen[0, :, 4, 4].tolist() == [0.75, 0.25, 0.0]
    assert seen[0, :, 0, 0].tolist() == [0.0, 0.0, 1.0]
