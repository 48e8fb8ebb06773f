"""Acting figures: bodies that hold together, truth that lies on the picture, people kept apart."""

from __future__ import annotations

import numpy as np
import pytest

from kpcore.data.synthetic.scene import HELD_OUT_SEED
from kpcore.data.synthetic.skeleton import ACTIONS, JOINTS, PAIRS, SUBJECTS, TEST_SUBJECTS, pose
from kpcore.data.synthetic.stick_figures import StickFigures
from kpcore.data.synthetic.tabletop import ARM, FRAMES, Tabletop

FIGURES = StickFigures()
BONES = ((1, 2), (2, 3), (4, 5), (5, 6), (11, 12), (12, 13), (14, 15), (15, 16), (0, 7), (8, 9))


def test_eleven_actions_and_seventeen_joints():
    assert (len(ACTIONS), len(JOINTS)) == (11, 17)
    for left, right in PAIRS:
        assert JOINTS[left].replace("left", "right") == JOINTS[right]


def test_people_of_training_streams_never_act_in_held_out_ones():
    count = 3 * len(ACTIONS) * SUBJECTS
    train = {FIGURES.performance(0, i).subject for i in range(count)}
    test = {FIGURES.performance(HELD_OUT_SEED, i).subject for i in range(count)}
    assert len(train) == SUBJECTS - TEST_SUBJECTS
    assert len(test) == TEST_SUBJECTS
    assert not train & test
    assert {FIGURES.performance(0, i).action for i in range(len(ACTIONS))} == set(range(11))


@pytest.mark.parametrize("index", range(11))
def test_bones_keep_their_length_and_feet_the_ground(index):
    acting = FIGURES.performance(0, index)
    joints = pose(acting, np.arange(50.0))
    tilt = 0.16
    for first, last in BONES:
        x, y, near = np.moveaxis(joints[:, last] - joints[:, first], -1, 0)
        # The camera looks down a little: y holds a share of the depth.
        up = (near * np.sin(tilt) - y) / np.cos(tilt)
        length = np.sqrt(x**2 + near**2 + up**2)
        assert length.std() < 1e-9
        assert length.min() > 0.01
    assert joints[..., 1].max() < 1.05
    moving = np.abs(np.diff(joints[..., :2], axis=0)).max()
    assert 0.0005 < moving < 0.2


def test_joints_lie_on_the_figure_and_the_ground_stays():
    clip = FIGURES.clip(0, 0, 96, 12)
    truth = FIGURES.truth(0, 0, 12)
    assert truth.joints.shape == (12, 17, 2)
    hits = 0
    for time in range(12):
        for x, y in truth.joints[time]:
            column, row = (int((c + 1) * 48) for c in (x, y))
            hits += clip.mask[time, 0, min(95, max(0, row)), min(95, max(0, column))]
    assert hits >= 0.95 * 12 * 17
    still = ~clip.mask.any((0, 1))
    assert still.mean() > 0.5
    rim = np.abs(clip.image - clip.image[0])[:, :, still]
    assert np.median(rim) == 0.0
    assert (rim > 0.02).mean() < 0.03, "but for the soft rim of the figure"


def test_a_later_frame_needs_no_earlier_one():
    clip = FIGURES.clip(3, 5, 48, 8)
    assert np.array_equal(FIGURES.frame(3, 5, 48, 7).image, clip.image[7])
    assert np.array_equal(
        FIGURES.truth(3, 5, 1, first=7).joints[0], FIGURES.truth(3, 5, 8).joints[7]
    )


def test_the_two_sides_of_a_person_differ():
    """From the front the left hand is at the right; from behind, at the left."""
    seen = [FIGURES.performance(0, i) for i in range(60)]
    front = next(p for p in seen if abs(p.yaw) < 0.4)
    back = next(p for p in seen if abs(p.yaw) > 2.7)
    for acting, sign in ((front, 1.0), (back, -1.0)):
        joints = pose(acting, np.zeros(1))[0]
        assert sign * (joints[11, 0] - joints[14, 0]) > 0.0


def test_the_arm_holds_together_and_toys_are_pushed():
    truth = Tabletop().truth(0, 1, FRAMES)
    links = np.linalg.norm(np.diff(truth.arm, axis=1), axis=-1) / 2.0
    assert np.allclose(links, ARM, atol=1e-5)
    moved = np.linalg.norm(truth.toys[-1] - truth.toys[0], axis=-1)
    assert moved.max() > 0.05
    assert np.abs(np.diff(truth.turned, axis=0)).max() > 0.0
    assert np.array_equal(truth.toys[:5], Tabletop().truth(0, 1, 5).toys), "clips begin alike"


def test_both_scenes_know_landmarks_of_their_pictures():
    for scenes in (FIGURES, Tabletop()):
        facts, places = scenes.landmark_facts, scenes.landmarks(4, 2)
        assert places.shape == (1, len(facts.landmark_names), 2)
    tip = Tabletop().landmarks(0, 1)[0, 2]
    last_link = Tabletop().sample(0, 1, 64).position[-1]
    assert np.abs(tip - last_link).max() < ARM[2] + 0.02, "the gripper's middle is near its tip"
    assert FIGURES.landmark_facts.mirrored == PAIRS


def test_rearranged_tables_differ_by_arm_and_by_every_toy() -> None:
    scenes, pushed = Tabletop(rearranged=True), Tabletop()
    for index in range(3):
        truth, slow = scenes.truth(0, index, FRAMES), pushed.truth(0, index, FRAMES)
        assert np.array_equal(truth.toys[0], slow.toys[0]), "clips begin alike"
        step = np.abs(np.diff(truth.toys, axis=0)).max(-1)
        moved = step > 0.1
        assert (moved.mean(0) > 0.2).all()
        assert (moved.mean(0) < 0.8).all(), "some stay from frame to frame"
        assert step.mean() > 3.0 * np.abs(np.diff(slow.toys, axis=0)).max(-1).mean()
        assert np.abs(truth.toys).max() <= 0.82
        gaps = np.hypot(*np.moveaxis(truth.toys[:, 0] - truth.toys[:, 1], -1, 0))
        assert gaps.min() > 0.2, "toys are clear of one another"
