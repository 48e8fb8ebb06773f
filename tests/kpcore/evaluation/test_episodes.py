from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

from kpcore.data.synthetic import SCENES
from kpcore.errors import DataError, InputError
from kpcore.evaluation.episodes import held_out_of, procedural_episodes, video_episodes


@pytest.fixture
def folder(tmp_path):
    """Three clips of grey pictures whose value is clip * 50 + frame."""
    for clip, frames in enumerate((12, 20, 5)):
        for frame in range(frames):
            path = tmp_path / f"clip{clip}" / f"{frame:03d}.png"
            path.parent.mkdir(exist_ok=True)
            iio.imwrite(path, np.full((16, 16, 3), clip * 50 + frame, dtype=np.uint8))
    return tmp_path


def values(episodes) -> list[list[int]]:
    return [(e.frames[:, 0, 0, 0] * 255).round().int().tolist() for e in episodes]


def test_procedural_clips_have_the_truth_of_their_frames():
    first, second = procedural_episodes("shapes", 32, 4, 2)
    assert first.frames.shape == (4, 3, 32, 32)
    truth = SCENES["shapes"].clip(1_000_003, 0, 32, 4)
    assert first.truth is not None
    assert np.array_equal(first.truth.position, truth.position)
    assert np.abs(first.frames.numpy() - truth.image).max() <= 0.5 / 255 + 1e-6
    assert not np.array_equal(first.frames.numpy(), second.frames.numpy())
    with pytest.raises(DataError, match=r"'shape'.*Did you mean 'shapes'"):
        list(procedural_episodes("shape", 32, 4, 2))


def test_runs_lie_inside_clips_and_do_not_overlap(folder):
    found = values(video_episodes(folder, (16, 16), 5, 99))
    assert found == [
        [0, 1, 2, 3, 4], [5, 6, 7, 8, 9],
        [50, 51, 52, 53, 54], [55, 56, 57, 58, 59], [60, 61, 62, 63, 64], [65, 66, 67, 68, 69],
        [100, 101, 102, 103, 104],
    ]  # fmt: skip


def test_only_held_out_clips_are_used(folder):
    found = values(video_episodes(folder, (16, 16), 5, 99, held_out=("clip0", "clip2")))
    assert [run[0] for run in found] == [0, 5, 100]
    names = [e.name for e in video_episodes(folder, (16, 16), 5, 99, held_out=("clip2",))]
    assert names == ["clip2 from 0"]
    with pytest.raises(InputError, match="clip7"):
        list(video_episodes(folder, (16, 16), 5, 9, held_out=("clip7",)))


def test_of_a_single_clip_only_its_held_out_end_is_used(folder):
    found = values(video_episodes(folder / "clip1", (16, 16), 3, 99, held_out=7))
    assert found == [[63, 64, 65], [66, 67, 68]]


def test_strides_and_counts(folder):
    assert values(video_episodes(folder, (16, 16), 5, 99, stride=2)) == [
        [0, 2, 4, 6, 8], [50, 52, 54, 56, 58], [60, 62, 64, 66, 68],
    ]  # fmt: skip
    assert [run[0] for run in values(video_episodes(folder, (16, 16), 5, 3))] == [0, 55, 100]


def test_clips_that_are_too_short_are_refused(folder):
    with pytest.raises(DataError, match=r"runs of 30 frames.* has 20"):
        list(video_episodes(folder, (16, 16), 30, 1))


def test_what_training_held_out_is_known_again(folder):
    assert held_out_of(folder, {"held_out": ["clip0", "clip2"]}) == ("clip0", "clip2")
    assert held_out_of(folder, {"held_out": ["clip0", "elsewhere"]}) is None
    assert held_out_of(folder, {"held_out": []}) is None
    single = {"held_out": ["clip1: last 7 of 20 frames"]}
    assert held_out_of(folder / "clip1", single) == 7
    assert held_out_of(folder / "clip0", single) is None
    assert held_out_of(folder, single) is None
