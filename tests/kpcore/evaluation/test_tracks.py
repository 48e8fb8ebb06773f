from __future__ import annotations

import numpy as np
import pytest

from kpcore.data.synthetic.scene import SceneClip
from kpcore.evaluation.tracks import assign, errors_px, seen


def clip_of(position, visible) -> SceneClip:
    """A clip of 2 frames and objects without pixels."""
    position = np.asarray(position, dtype=np.float64)
    frames, objects = position.shape[:2]
    return SceneClip(
        image=np.zeros((frames, 3, 4, 4), dtype=np.float32),
        position=position,
        mask=np.zeros((frames, objects, 4, 4), dtype=bool),
        visible=np.asarray(visible, dtype=np.float64),
        identity=np.arange(objects),
    )


def test_an_object_counts_when_half_of_it_shows_and_its_centre_is_inside():
    clip = clip_of([[[0, 0], [0.9, 0], [1.1, 0]]] * 2, [[1.0, 0.6, 0.9], [0.4, 0.6, 0.9]])
    assert seen(clip).tolist() == [[True, True, False], [False, True, False]]


def test_particles_stand_for_the_objects_that_make_the_sum_of_distances_least():
    position = np.asarray([[0.5, 0.0], [0.1, 0.0], [-0.5, 0.0]])
    truth = np.asarray([[-0.45, 0.0], [0.12, 0.0], [0.9, 0.9]])
    assert assign(position, None, truth, np.ones(3, dtype=bool)) == ((1, 1), (2, 0))


def test_only_present_particles_and_counted_objects_are_assigned():
    position = np.asarray([[0.0, 0.0], [0.02, 0.0]])
    truth = np.asarray([[0.0, 0.0], [0.03, 0.0]])
    presence = np.asarray([0.2, 0.9])
    assert assign(position, presence, truth, np.asarray([True, True])) == ((1, 1),)
    assert assign(position, presence, truth, np.asarray([True, False])) == ((1, 0),)
    assert assign(position, presence * 0, truth, np.asarray([True, True])) == ()


def test_errors_are_pixels_and_nothing_where_the_object_does_not_count():
    """A step of 0.1 in unit coordinates is 5 pixels of 100; (3, 4) pixels away is 5."""
    position = np.asarray([[[9, 9], [0.1, 0.0]], [[9, 9], [0.06, 0.08]], [[9, 9], [0.0, 0.0]]])
    truth = np.zeros((3, 1, 2))
    counted = np.asarray([[True], [True], [False]])
    error = errors_px(position, ((1, 0),), truth, counted, 100)
    assert error[:2, 0].tolist() == pytest.approx([5.0, 5.0])
    assert np.isnan(error[2, 0])
    assert errors_px(position, (), truth, counted, 100).shape == (3, 0)
