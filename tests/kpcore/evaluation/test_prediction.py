"""The table of predictors on a disc that moves 2 pixels a frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kpcore.data.synthetic.scene import SceneClip
from kpcore.errors import InputError
from kpcore.evaluation.baselines import ConstantVelocity
from kpcore.evaluation.episodes import Episode
from kpcore.evaluation.forecast import CopyLast, RollOut
from kpcore.evaluation.prediction import measure
from tests.kpcore.evaluation.conftest import SIDE, Drift, disc

PX = 2 / SIDE


def episode(frames: int = 7, start: float = -0.5, seen: int = 99) -> Episode:
    """The disc goes right by 2 px a frame; its object counts in the first `seen` frames."""
    place = torch.tensor([[start + 2 * PX * t, 0.1] for t in range(frames)])
    image = torch.cat([disc(p) for p in place])
    visible = (np.arange(frames) < seen).astype(float)[:, None]
    truth = SceneClip(
        image.numpy(),
        place[:, None].numpy(),
        np.zeros((frames, 1, SIDE, SIDE), dtype=bool),
        visible,
        np.zeros(1, dtype=np.int64),
    )
    return Episode(image, "disc", truth)


def table(model, episodes, steps=4, **more):
    forecasters = [
        CopyLast(model),
        RollOut(ConstantVelocity(model), "constant velocity"),
        RollOut(Drift(model, (3 * PX, 0.0)), "too fast"),
    ]
    return measure(forecasters, episodes, steps, ceiling=model, batch=2, **more)


def test_track_errors_grow_as_each_predictor_must(dot_model):
    """Copying falls behind by 2 px a step, constant velocity by nothing, 3 px a step leads by 1."""
    figures = table(dot_model, [episode(), episode(start=-0.3), episode(start=-0.6)])
    assert (figures.episodes, figures.steps) == (3, 4)
    copy, velocity, fast = figures.predictors
    assert copy.track_px == pytest.approx((2, 4, 6, 8), abs=0.05)
    assert velocity.track_px == pytest.approx((0, 0, 0, 0), abs=0.1)
    assert fast.track_px == pytest.approx((1, 2, 3, 4), abs=0.05)
    assert [row.found for row in figures.predictors] == [100.0] * 3
    assert copy.lpips is None


def test_pictures_are_compared_with_the_frames_after_the_last_given_one(dot_model):
    figures = table(dot_model, [episode()])
    copy, velocity, _ = figures.predictors
    frames = episode().frames
    by_hand = -10 * torch.log10((frames[2] - frames[3]).square().mean())
    assert copy.psnr_db[0] == pytest.approx(float(by_hand), abs=1e-3)
    assert min(velocity.psnr_db) > 30 > max(copy.psnr_db)
    assert min(velocity.ssim) > max(copy.ssim)
    assert min(figures.ceiling_psnr_db) > 40


def test_beating_takes_both_pictures_and_tracks(dot_model):
    figures = table(dot_model, [episode()])
    assert figures.steps_beating("constant velocity", "copy last frame") == (True,) * 4
    assert figures.steps_beating("copy last frame", "constant velocity") == (False,) * 4
    with pytest.raises(InputError, match="'nobody'"):
        figures.steps_beating("nobody", "too fast")


def test_steps_at_which_the_object_is_gone_do_not_count(dot_model):
    figures = table(dot_model, [episode(seen=5)])
    track = figures.of("copy last frame").track_px
    assert track is not None
    assert track[:2] == pytest.approx((2, 4), abs=0.05)
    assert np.isnan(track[2:]).all()
    assert not any(figures.steps_beating("constant velocity", "copy last frame")[2:])


def test_without_truth_there_are_no_tracks(dot_model):
    figures = table(dot_model, [Episode(episode().frames, "film")])
    assert figures.predictors[0].track_px is None
    assert figures.predictors[0].found is None
    assert all(figures.steps_beating("constant velocity", "copy last frame"))


def test_a_perceptual_distance_fills_its_column(dot_model):
    figures = table(dot_model, [episode()], lpips=lambda a, b: (a - b).abs().mean((1, 2, 3)))
    lpips = figures.of("copy last frame").lpips
    assert lpips is not None
    assert len(lpips) == 4
    assert lpips[0] > 0


def test_too_few_frames_no_episodes_and_no_steps_are_refused(dot_model):
    with pytest.raises(InputError, match="leave 1 before 4 steps"):
        table(dot_model, [episode(frames=5)])
    with pytest.raises(InputError, match="no episodes"):
        table(dot_model, [])
    with pytest.raises(InputError, match="at least 1"):
        table(dot_model, [episode()], steps=0)
