from __future__ import annotations

import numpy as np
import pytest

from kpcore.data.synthetic.cartoon_faces import LANDMARKS, CartoonFaces


@pytest.mark.parametrize(
    ("layout", "counts"), [("aligned", {1}), ("wild", {1}), ("several", {2, 3})]
)
def test_each_face_has_its_landmarks_inside_its_head(layout, counts) -> None:
    scenes, size = CartoonFaces(layout), 96
    for index in range(6):
        scene, points = scenes.sample(3, index, size), scenes.landmarks(3, index)
        assert len(points) == len(scene.mask)
        assert len(points) in counts
        assert points.shape[1:] == (len(LANDMARKS), 2)
        for mask, face in zip(scene.mask, points, strict=True):
            inner = face[[0, 1, 2, 5, 6]]
            column, row = ((inner + 1.0) * size / 2.0).astype(int).clip(0, size - 1).T
            assert mask[row, column].mean() > 0.9


def test_left_is_where_the_viewer_sees_it() -> None:
    for index in range(10):
        face = CartoonFaces().landmarks(0, index)[0]
        assert face[0, 0] < face[1, 0]
        assert face[3, 0] < face[4, 0]
        assert face[0, 1] < face[2, 1] < face[7, 1]


def test_eyes_are_dark_in_their_middle_and_light_beside() -> None:
    size = 128
    for index in range(5):
        image = CartoonFaces().sample(1, index, size).image
        eye = CartoonFaces().landmarks(1, index)[0, 0]
        x, y = ((eye + 1.0) * size / 2.0 - 0.5).round().astype(int)
        near = image[:, y - 6 : y + 7, x - 9 : x + 10].max(0)
        assert image[:, y - 1 : y + 2, x - 2 : x + 3].min() < 0.1
        assert near.max() > 0.9


def test_a_wild_face_covers_a_third_of_the_picture_and_moves_about() -> None:
    scenes = [CartoonFaces("wild").sample(0, index, 64) for index in range(12)]
    assert min(float(s.mask[0].mean()) for s in scenes) > 0.30
    assert np.ptp([s.position[0, 0] for s in scenes]) > 0.15


def test_a_clip_begins_with_its_picture_and_moves() -> None:
    scenes = CartoonFaces()
    clip = scenes.clip(0, 2, 48, 6)
    assert np.array_equal(clip.image[0], scenes.sample(0, 2, 48).image)
    assert np.abs(clip.image[5] - clip.image[0]).max() > 0.2
