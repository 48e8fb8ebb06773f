from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PySide6.QtGui import QColor

from kpcore.api import Encoding
from kpcore.latents import Latents, Topology
from kpstudio.session.edits import MoveParticles
from kpstudio.session.pictures import Picture
from kpstudio.session.session import Session
from kpstudio.session.tracks import Link
from kpstudio.session.view import DEFAULT_LAYERS
from kpstudio.ui.canvas.palette import colour_of
from kpstudio.ui.canvas.trails import TrailLayer

from .conftest import POSITIONS

COUNT = len(POSITIONS)


def at(frame: int) -> list[tuple[float, float]]:
    """Particles that go down, in rows that turn by one from frame to frame."""
    there = [(x, y + 0.15 * frame) for x, y in POSITIONS]
    return there[frame % COUNT :] + there[: frame % COUNT]


@pytest.fixture
def moving(session: Session) -> Session:
    for frame in (1, 2):
        latents = Latents(torch.tensor([at(frame)]), Topology.flat(COUNT))
        back = tuple((row - 1) % COUNT for row in range(COUNT))
        matched = (True, True, True, True, frame == 1)
        session.receive_encodings(
            1, 1, {frame: Encoding(latents)}, {frame - 1: Link(back, matched)}
        )
    session.update_view(frame=2)
    return session


def test_a_trail_follows_the_particle_not_the_row(moving: Session):
    layer = TrailLayer(moving)
    trails = layer.trails(2, list(range(COUNT)), 12)
    assert np.array(trails[0]) == pytest.approx(np.array([(-0.5, 0.8), (-0.5, 0.65), (-0.5, 0.5)]))
    assert moving.scene.numbers(2)[0] == 2


def test_a_trail_ends_where_the_match_does_and_at_its_length(moving: Session):
    layer = TrailLayer(moving)
    trails = layer.trails(2, list(range(COUNT)), 12)
    lost = (COUNT - 1 - 1) % COUNT
    assert len(trails[lost]) == 1
    assert len(layer.trails(2, [0], 1)[0]) == 2


def test_an_edit_bends_no_trail(moving: Session):
    row = next(r for r in range(COUNT) if moving.scene.numbers(1)[r] == moving.scene.numbers(2)[0])
    moving.commit(MoveParticles(1, (row,), ((0.9, 0.9),)))
    assert TrailLayer(moving).trails(2, [0], 12)[0][1] == pytest.approx((-0.5, 0.65))


def test_trails_are_painted_in_the_particle_s_colour_and_can_be_hidden(moving: Session, show):
    layers = tuple(
        replace(layer, visible=layer.name in ("picture", "trails"), opacity=1.0)
        for layer in DEFAULT_LAYERS
    )
    moving.update_view(layers=layers)
    picture = grey_at(moving, 2)
    canvas = show(moving)
    x, y = canvas.viewport.to_view((-0.5, 0.73))
    ink = QColor(colour_of(2))
    painted = canvas.grab().toImage().pixelColor(round(x), round(y))
    assert abs(painted.red() - ink.red()) + abs(painted.blue() - ink.blue()) < 40
    moving.update_view(layers=moving.view.with_layer("trails", visible=False).layers)
    painted = canvas.grab().toImage().pixelColor(round(x), round(y))
    assert painted.red() == int(picture.pixels[0, 0, 0])


def grey_at(session: Session, frame: int) -> Picture:
    pixels = np.full((32, 32, 3), 100, np.uint8)
    picture = Picture(pixels, session.revision, frame, base=session.revision)
    for role in ("input", "reconstruction"):
        assert session.receive_picture(role, 1, 1, picture)
    return picture


def test_the_mark_tells_that_its_number_was_matched(moving: Session, show):
    canvas = show(moving)
    words = [mark.words for mark in canvas.overlay.marks]
    assert any("matched over frames; row 1 here" in text for text in words)
    moving.update_view(raw_numbers=True)
    assert not any("matched" in mark.words for mark in canvas.overlay.marks)
    assert [mark.identity for mark in sorted(canvas.overlay.marks, key=lambda m: m.row)] == [
        0, 1, 2, 3, 4,
    ]  # fmt: skip
