from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore import registry
from kpcore.api import Batch, Progress
from kpcore.errors import InputError
from kpcore.latents import Latents, Topology
from kpcore.models.dlp_gcn.config import GCNConfig
from kpcore.models.dlp_gcn.model import DLPGCN
from kpcore.models.dlp_gcn.objective import GCNObjective, at, follow, track_px

START = Progress(0, 100, 0.0)


def model(config: GCNConfig) -> DLPGCN:
    torch.manual_seed(0)
    chosen = registry.get("dlp-compact")
    return DLPGCN(config, chosen.build(chosen.presets["tiny"].config)).eval()


def plain(**changes: object) -> GCNConfig:
    return GCNConfig(**{"hidden": 8, "reconstruction": "mse", **changes})  # type: ignore[arg-type]


def clip(frames: int, batch: int = 3) -> torch.Tensor:
    image = torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    return torch.stack([image.roll(time, -1) for time in range(frames)], 1)


def test_the_loss_of_a_prediction_that_stands_still_is_that_of_the_renderer():
    config = plain()
    made = model(config)
    made.dynamics.change.weight.data.zero_()
    frames = clip(3)
    report = GCNObjective(made, config)(Batch(frames[:, 0], clip=frames), START)
    errors = []
    with torch.no_grad():
        for time in (0, 1):
            encoding = made.encode(frames[:, time])
            picture = made.decode(encoding.latents).image
            errors.append((picture - frames[:, time + 1]).square().sum() / 3)
    assert float(report.total.detach()) == pytest.approx(float(sum(errors)) / 2, rel=1e-4)
    assert set(report.terms) == {"reconstruction"}


def test_kept_latents_give_the_same_loss_as_encoding():
    config = plain(unroll=3, track_weight=2.0)
    made = model(config)
    frames = clip(5)
    objective = GCNObjective(made, config)
    with torch.no_grad():
        found = made.encode(frames.flatten(0, 1)).latents
    values = {name: value.unflatten(0, (3, 5)) for name, value in found.named().items()}
    kept = Latents(topology=found.topology, **values)
    batch = Batch(frames[:, 0], clip=frames)
    a, b = objective(batch, START), objective(replace(batch, latents=kept), START)
    assert float(a.total.detach()) == pytest.approx(float(b.total.detach()), rel=1e-5)
    assert a.terms.keys() == {"reconstruction", "tracks"}


def test_every_unrolled_frame_counts_and_few_may_be_decoded(monkeypatch: pytest.MonkeyPatch):
    for decoded, count in ((0, 5), (2, 2)):
        config = plain(unroll=4, decoded=decoded)
        made = model(config)
        frames = clip(6)
        calls: list[int] = []
        decode = made.decode
        monkeypatch.setattr(made, "decode", lambda *a: calls.append(1) or decode(*a))  # noqa: B023
        GCNObjective(made, config)(Batch(frames[:, 0], clip=frames), START)
        assert len(calls) == count


def test_gradients_pass_through_all_unrolled_steps():
    config = plain(unroll=3, decoded=1)
    made = model(config).train()
    frames = clip(5)
    objective = GCNObjective(made, config)
    before, last = (made.encode(frames[:, time]).latents.detach() for time in (0, 1))
    start = last.position.requires_grad_()
    predicted = objective._unrolled(before, replace(last, position=start), 3)
    (slope,) = torch.autograd.grad(at(predicted, 3).position.sum(), start)
    assert (slope != 0).any()


def test_the_predicted_frames_rise_over_the_run():
    config = plain(unroll=5, grow=0.5)
    objective = GCNObjective(model(config), config)
    assert [objective._steps(Progress(step, 100, 0.0)) for step in (0, 25, 50, 99)] == [1, 3, 5, 5]
    assert GCNObjective(model(plain()), plain())._steps(START) == 1


def test_single_pictures_and_short_clips_are_refused():
    config = plain(unroll=2)
    objective = GCNObjective(model(config), config)
    frames = clip(3)
    with pytest.raises(InputError, match=r"clips of 4 frames, got single pictures"):
        objective(Batch(frames[:, 0]), START)
    with pytest.raises(InputError, match=r"clips of 4 frames, got clips of 3"):
        objective(Batch(frames[:, 0], clip=frames), START)


def truth(*frames: list[tuple[float, float]]) -> Latents:
    """One clip whose particles are where they are said to be, in any order; all present."""
    position = torch.tensor([frames])
    return Latents(position, Topology.flat(position.shape[2]))


def test_particles_are_followed_whatever_their_rows():
    """Two particles go right by 0.1 a frame; their rows change places every time."""
    frames = [[(time / 10, 0.5), (time / 10, -0.5)][:: 1 - 2 * (time % 2)] for time in range(4)]
    place, found = follow(truth(*frames), 3, 0.5)
    assert found.all()
    want = [[(0.1, 0.5), (0.1, -0.5)], [(0.2, -0.5), (0.2, 0.5)], [(0.3, -0.5), (0.3, 0.5)]]
    torch.testing.assert_close(place[0], torch.tensor(want))


def test_a_particle_that_is_lost_stays_lost():
    frames = [[(0.0, 0.0)], [(0.0, 0.0)], [(0.9, 0.9)], [(0.9, 0.9)]]
    _, found = follow(truth(*frames), 3, 0.5)
    assert found[0, :, 0].tolist() == [True, False, False]


def test_track_distance_is_in_pixels_and_leaves_out_what_was_not_found():
    position = torch.tensor([[[[0.0, 0.0], [0.5, 0.5]]]])
    place = torch.tensor([[[[0.2, 0.0], [0.0, 0.0]]]])
    found = torch.tensor([[[True, False]]])
    assert float(track_px(position, place, found, 100)) == pytest.approx(10.0 - 0.5)
    assert float(track_px(position, place, ~found & found, 100)) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [{"radius": 0.0}, {"unroll": 0}, {"decoded": -1}, {"present": 1.5}, {"feature_limit": -1.0}],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]):
    with pytest.raises(InputError, match=next(iter(wrong))):
        GCNConfig(**wrong)  # type: ignore[arg-type]
