from __future__ import annotations

import pytest
import torch

from kpcore.errors import InputError
from kpcore.models.keynet_rnn import PRESETS
from kpcore.models.keynet_rnn.config import KeyNetRNNConfig
from kpcore.models.keynet_rnn.networks import Detector, Dynamics, Renderer
from kpcore.models.keynet_rnn.objective import separation

TINY = PRESETS["tiny"].config


def test_sizes_follow_from_the_configuration():
    assert KeyNetRNNConfig().widths == (32, 64, 128)
    assert PRESETS["traffic"].config.widths == (32, 64)
    assert TINY.frames == 5


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"image_size": 100}, "image_size is 100"),
        ({"decoded": 16}, "use 1 to 15"),
        ({"particles": 0}, "particles is 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong, told):
    with pytest.raises(InputError, match=told):
        KeyNetRNNConfig(**wrong)


class _Maps(torch.nn.Module):
    """Gives these maps whatever the picture."""

    def __init__(self, maps: torch.Tensor) -> None:
        super().__init__()
        self._maps = maps

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self._maps


def test_a_keypoint_is_the_mean_place_of_its_map_and_its_share_of_the_strongest():
    """Maps of 8 x 8: all mass in one cell; mass 1 and 3 in two cells; nothing."""
    maps = torch.full((1, 3, 8, 8), 0.0)
    maps[0, 0, 1, 6] = 8.0
    maps[0, 1, 4, 0], maps[0, 1, 4, 4] = 1.0, 3.0
    detector = Detector(KeyNetRNNConfig(image_size=32, particles=3, map_side=8))
    detector.encoder = _Maps(maps.expm1().clamp(min=1e-30).log())
    detector.head = torch.nn.Identity()
    found = detector(torch.zeros(1, 3, 32, 32))
    centre = [(2 * i + 1) / 8 - 1 for i in range(8)]
    assert found.position[0, 0].tolist() == pytest.approx([centre[6], centre[1]], abs=1e-4)
    across = (centre[0] + 3 * centre[4]) / 4
    assert found.position[0, 1].tolist() == pytest.approx([across, centre[4]], abs=1e-4)
    assert found.scale[0].tolist() == pytest.approx([1.0, 0.5, 0.0], abs=1e-4)


def test_a_gaussian_stands_at_its_keypoint_and_is_as_high_as_its_strength():
    renderer = Renderer(KeyNetRNNConfig(image_size=32, particles=1, map_side=8))
    x, y = 2 * 5.5 / 8 - 1, 2 * 2.5 / 8 - 1
    maps = renderer.maps(torch.tensor([[[x, y]]]), torch.tensor([[0.5]]))[0, 0]
    assert float(maps[2, 5]) == pytest.approx(0.5, abs=1e-5)
    beside = 0.5 * torch.exp(torch.tensor(-0.5 / 1.5**2))
    assert float(maps[2, 6]) == pytest.approx(float(beside), abs=1e-4)
    assert float(maps[3, 5]) == pytest.approx(float(beside), abs=1e-4)


@torch.no_grad()
def test_fresh_dynamics_expect_no_change_and_strength_stays_a_share():
    dynamics = Dynamics(TINY)
    points = torch.rand(2, 4, 3)
    after, memory = dynamics.observe(points, None)
    assert torch.equal(after, points)
    assert memory.shape == (2, TINY.hidden)
    torch.nn.init.constant_(dynamics.change.bias, 5.0)
    assert float(dynamics.observe(points, memory)[0][..., 2].max()) == 1.0


def test_separation_is_one_for_keypoints_that_move_together_and_zero_for_others():
    steady = torch.zeros(1, 4, 2, 2)
    assert float(separation(steady, 0.1)) == pytest.approx(1.0)
    steady[0, :, 1] += 0.7
    assert float(separation(steady, 0.1)) == pytest.approx(1.0), "trajectories are centred"
    apart = torch.zeros(1, 4, 2, 2)
    apart[0, :, 1, 0] = torch.tensor([-1.5, -0.5, 0.5, 1.5])
    assert float(separation(apart, 0.1)) == pytest.approx(0.0, abs=1e-6)
    assert float(separation(torch.zeros(1, 4, 1, 2), 0.1)) == 0.0
