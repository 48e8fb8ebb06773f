"""Transporter: sizes, what gradients may pass, what a drag does."""

from __future__ import annotations

from dataclasses import replace

import torch

from kpcore.api import Batch, Progress
from kpcore.models.transporter import PRESETS
from kpcore.models.transporter.config import TransporterConfig
from kpcore.models.transporter.model import Transporter
from kpcore.models.transporter.objective import TransporterObjective

TINY = PRESETS["tiny"].config


def weights(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_weights_and_sizes_of_the_authors_networks():
    model = Transporter(TransporterConfig())
    assert weights(model.features) == 18_768
    assert weights(model.keypoints) == 18_768 + 32 * 5 + 5
    assert weights(model.decoder) == 260_739
    assert model.config.side == 64


def test_nothing_flows_back_through_the_reference():
    model = Transporter(TINY)
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    reference = torch.rand(2, 3, 32, 32, requires_grad=True)
    picture, _ = model.transported(image, reference)
    picture.sum().backward()
    assert reference.grad is None
    assert image.grad is not None
    assert image.grad.abs().max() > 0


def test_an_unedited_picture_is_the_models_own_reconstruction():
    torch.manual_seed(0)
    model = Transporter(TINY).eval()
    image, reference = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for other in (image, reference):
            encoding = model.encode(image, other)
            want = model.transported(image, other)[0].clamp(0.0, 1.0)
            got = model.decode(encoding.latents, encoding.context).image
            assert torch.allclose(got, want, atol=1e-6)


def test_a_dragged_keypoint_brings_its_own_features_and_not_those_of_the_new_place():
    """Two pictures that differ only at the new place decode alike there after the drag."""
    torch.manual_seed(0)
    model = Transporter(replace(TINY, sigma=0.5)).eval()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    first = torch.full((1, 3, 32, 32), 0.5)
    first[..., 4:10, 4:10] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    second = first.clone()
    second[..., 22:27, 22:27] = 0.0
    pictures: list[torch.Tensor] = []
    still: list[torch.Tensor] = []
    with torch.no_grad():
        for image in (first, second):
            encoding = model.encode(image)
            # The keypoints lie on the object, as trained ones would.
            on_it = torch.full((1, 4, 2), -0.56)
            context = {**encoding.context, "donor_position": on_it, "base_position": on_it}
            latents = encoding.latents.with_rows("position", range(4), [(0.53, 0.53)] * 4)
            pictures.append(model.decode(latents, context).image)
            still.append(model.decode(encoding.latents, encoding.context).image)

    def differ(pair: list[torch.Tensor]) -> float:
        return float((pair[0] - pair[1])[..., 24:26, 24:26].abs().max())

    assert differ(still) > 0.1
    assert differ(pictures) < 0.1 * differ(still)


def test_the_loss_is_the_squared_error_of_the_picture():
    torch.manual_seed(0)
    model = Transporter(TINY).eval()
    image, reference = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        report = TransporterObjective(model)(Batch(image, reference), Progress(0, 1, 0.0))
        picture, _ = model.transported(image, reference)
    assert torch.allclose(report.total, (picture - image).square().sum() / 2)
