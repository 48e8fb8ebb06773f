"""Inference copies follow the module they are made of, and leave it alone."""

from __future__ import annotations

import torch
from torch import nn

from kpcore.nn.blocks import ConvBlock
from kpcore.nn.folding import InferenceCopy, fold


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(
        ConvBlock(3, 4), nn.Flatten(), nn.Linear(4 * 16, 5), nn.BatchNorm1d(5), nn.ReLU()
    )
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return made.eval()


def test_folding_keeps_the_numbers_and_the_original():
    module = network()
    image = torch.rand(2, 3, 4, 4)
    want = module(image)
    folded = fold(module)
    assert not any(isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d) for part in folded.modules())
    assert torch.allclose(folded(image), want, atol=1e-5)
    assert torch.equal(module(image), want)
    assert all(weight.requires_grad for weight in module.parameters())
    assert not any(weight.requires_grad for weight in folded.parameters())


def test_a_copy_is_made_once():
    copy = InferenceCopy(network())
    assert copy() is copy()


def test_a_copy_follows_every_change_of_weights():
    module = network()
    copy, image = InferenceCopy(module), torch.rand(2, 3, 4, 4)

    def same() -> bool:
        return torch.allclose(copy()(image), module(image), atol=1e-5)

    assert same()
    with torch.no_grad():
        module[2].weight.add_(1.0)
    assert same()
    module.train()(image)  # running means move
    module.eval()
    assert same()
    module.load_state_dict({k: v + 1 for k, v in network().state_dict().items()}, assign=True)
    assert same()
    image = image.double()
    module.double()
    assert copy()[2].weight.dtype == torch.float64
    assert same()


def test_a_model_made_for_inference_alone_works():
    with torch.inference_mode():
        module = network()
        copy, image = InferenceCopy(module), torch.rand(2, 3, 4, 4)
        assert torch.allclose(copy()(image), module(image), atol=1e-5)
