"""Features taken out at one place and put in at another."""

from __future__ import annotations

import torch

from kpcore.nn.keypoint_head import keypoint_maps, union
from kpcore.nn.transport import paste, shifted, transport, transport_moved

SIDE = 16
SIGMA = 0.25


def test_transport_is_the_recurrence_of_the_paper():
    torch.manual_seed(0)
    base, donor = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    out_maps, in_maps = torch.rand(2, 4, 8, 8), torch.rand(2, 4, 8, 8)
    want = base
    for k in range(4):
        out, put = out_maps[:, k : k + 1], in_maps[:, k : k + 1]
        want = (1 - out) * (1 - put) * want + put * donor
    assert torch.allclose(transport(base, donor, out_maps, in_maps), want, atol=1e-6)


def test_nothing_moved_is_plain_transport():
    torch.manual_seed(0)
    base, donor = torch.rand(1, 3, SIDE, SIDE), torch.rand(1, 3, SIDE, SIDE)
    place = torch.tensor([[[0.2, 0.1], [-0.5, 0.4]]])
    maps = keypoint_maps(place, SIDE, SIGMA)
    moved = transport_moved(base, donor, maps, maps, torch.zeros(1, 2, 2))
    assert torch.equal(moved, transport(base, donor, maps, maps))


def scene(x: int, y: int) -> torch.Tensor:
    """A bright object of 3 x 3 cells on a ground that gets lighter to the right."""
    picture = torch.linspace(0.0, 0.4, SIDE).expand(1, 1, SIDE, SIDE).clone()
    picture[..., y - 1 : y + 2, x - 1 : x + 2] = 1.0
    return picture


def unit(cell: float) -> float:
    return (2.0 * cell + 1.0) / SIDE - 1.0


def test_a_moved_keypoint_takes_the_object_along_and_pastes_no_ground():
    here, there = (3, 4), (12, 11)
    features = scene(*here)
    old = torch.tensor([[[unit(here[0]), unit(here[1])]]])
    new = torch.tensor([[[unit(there[0]), unit(there[1])]]])
    maps = keypoint_maps(old, SIDE, SIGMA), keypoint_maps(new, SIDE, SIGMA)
    moved = transport_moved(features, features, *maps, new - old)
    assert float(moved[0, 0, there[1], there[0]]) > 0.95, "the object is at its new place"
    assert float(moved[0, 0, here[1], here[0]]) < 0.05, "and gone from the old one"
    # Without moving the features along, the ground of the new place would be put in there.
    still = transport(features, features, *maps)
    assert float(still[0, 0, there[1], there[0]]) < 0.5
    untouched = moved[0, 0, 14, 1] - features[0, 0, 14, 1]
    assert abs(float(untouched)) < 1e-4


def test_shifted_maps_follow_the_convention_of_unit_coordinates():
    features = scene(4, 5)
    step = torch.tensor([[3 * 2.0 / SIDE, -2 * 2.0 / SIDE]])
    moved = shifted(features, step)
    assert torch.allclose(moved[0, 0, 3, 7], torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(moved[..., 1:10, 3:], features[..., 3:12, : SIDE - 3], atol=1e-5)


def test_every_image_of_a_batch_moves_by_its_own_shift():
    features = scene(4, 5).expand(2, -1, -1, -1)
    place = torch.tensor([[[unit(4), unit(5)]]]).expand(2, -1, -1)
    shift = torch.tensor([[[0.0, 0.0]], [[0.5, 0.25]]])
    both = transport_moved(
        features,
        features,
        keypoint_maps(place, SIDE, SIGMA),
        keypoint_maps(place + shift, SIDE, SIGMA),
        shift,
    )
    for row in range(2):
        one = slice(row, row + 1)
        alone = transport_moved(
            features[one],
            features[one],
            keypoint_maps(place[one], SIDE, SIGMA),
            keypoint_maps((place + shift)[one], SIDE, SIGMA),
            shift[one],
        )
        assert torch.allclose(both[one], alone, atol=1e-6)


def test_pasting_puts_the_donor_in_at_both_places():
    base, donor = torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)
    there = union(keypoint_maps(torch.tensor([[[-0.5, -0.5]]]), SIDE, SIGMA))
    here = union(keypoint_maps(torch.tensor([[[0.5, 0.5]]]), SIDE, SIGMA))
    pasted = paste(base, donor, there, here)
    assert torch.allclose(pasted, 1 - (1 - there) * (1 - here))
    assert float(pasted[0, 0, 4, 4]) > 0.7
    assert float(pasted[0, 0, 12, 12]) > 0.7
    assert float(pasted[0, 0, 4, 12]) < 0.01
