from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpstudio.session.document import ModelInfo
from kpstudio.session.edits import KeepTop, MoveParticles, SetPresence
from kpstudio.session.session import Session
from kpstudio.ui.canvas.mapping import Viewport
from kpstudio.ui.canvas.marks import FAINTEST, Mark, MarkReader, nearest_mark
from kpstudio.ui.canvas.overlays import Extras, tinted
from kpstudio.ui.canvas.palette import COLOURS, SHAPES, colour_of, shape_of
from kpstudio.ui.canvas.particle_items import ParticleOverlay

from .conftest import POSITIONS, grey, open_session


def by_row(marks: tuple[Mark, ...]) -> dict[int, Mark]:
    return {mark.row: mark for mark in marks}


def test_colour_and_shape_belong_to_the_identity(session: Session) -> None:
    looks = {(colour_of(i), shape_of(i)) for i in range(48)}
    assert len(looks) == len(COLOURS) * len(SHAPES)
    assert [colour_of(i) for i in range(3)] == ["#4477AA", "#EE6677", "#228833"]
    latents = session.latents
    assert latents is not None
    topology = Topology((0, 0, 0, 0, 0), (-1,) * 5, (9, 3, 7, 1, 0))
    other = Latents(latents.position, topology)
    session.open_media(session.document.media)
    session.receive_encoding(1, 1, 0, Encoding(other))
    assert {m.row: m.identity for m in MarkReader(session).read("edited")} == {
        0: 9, 1: 3, 2: 7, 3: 1, 4: 0,
    }  # fmt: skip


def test_a_moved_particle_remembers_where_it_was_encoded(session: Session) -> None:
    session.commit(MoveParticles(0, (1,), ((0.2, 0.3),)))
    marks = by_row(MarkReader(session).read("edited"))
    assert marks[1].home == POSITIONS[1]
    assert math.dist(marks[1].at, (0.2, 0.3)) < 1e-6
    assert marks[0].home is None
    encoded = by_row(MarkReader(session).read("encoded"))
    assert (encoded[1].at, encoded[1].home) == (POSITIONS[1], None)


def test_absent_unsure_and_filtered_particles_are_told_apart(session: Session) -> None:
    latents = session.latents
    assert latents is not None
    spread = torch.full((1, 5, 2), 2 * math.log(0.05))
    spread[0, 2] = 2 * math.log(0.2)
    unsure = Latents(latents.position, latents.topology, spread, presence=latents.presence)
    session.open_media(session.document.media)
    session.receive_encoding(1, 1, 0, Encoding(unsure))
    reader = MarkReader(session)
    marks = by_row(reader.read("edited"))
    assert math.isclose(marks[2].certainty, 0.5, abs_tol=1e-6)
    assert marks[2].sigma is not None
    assert abs(marks[2].sigma[0] - 0.2) < 1e-6
    assert marks[0].certainty == 1.0
    session.commit(SetPresence(0, (0,), (0.0,)))
    assert by_row(reader.read("edited"))[0].certainty == FAINTEST
    session.commit(KeepTop(2))
    kept = {mark.row for mark in reader.read("edited") if mark.kept}
    assert kept == session.document.kept(0)
    assert len(kept) == 2


def test_the_nearest_particle_is_hit_and_of_two_the_one_on_top() -> None:
    marks = [Mark(row, row, (0.0, 0.0)) for row in range(3)]
    places = [(10.0, 10.0), (16.0, 10.0), (16.0, 10.0)]
    assert nearest_mark(marks, places, (11.0, 10.0), 14.0) is marks[0]
    assert nearest_mark(marks, places, (14.0, 10.0), 14.0) is marks[2]
    assert nearest_mark(marks, places, (40.0, 10.0), 14.0) is None


def test_a_hand_takes_what_is_seen_before_what_is_off() -> None:
    off = Mark(0, 0, (0.0, 0.0), presence=0.0)
    seen = Mark(1, 1, (0.02, 0.0), presence=0.9)
    viewport = Viewport((64, 64), 0.0, 0.0, 640.0, 640.0)
    at = viewport.to_view(off.at)
    assert ParticleOverlay((off, seen), viewport).hit(at) is seen
    chosen = replace(off, selected=True)
    overlay = ParticleOverlay((chosen, seen), viewport)
    assert overlay.hit(at) is chosen, "what is selected can be taken where it is"
    assert replace(seen, kept=False).prominence < off.prominence


def test_a_particles_numbers_in_words() -> None:
    mark = Mark(2, 2, (0.3281, 0.4), sigma=(0.04, 0.04), presence=0.98, kept=False)
    assert mark.words == (
        "Particle 3 · x 0.328 · y 0.400 · σ 0.040 · presence 0.98 · "  # noqa: RUF001
        "left out by the top-K filter"
    )


def test_a_filtered_particle_never_hides_a_decoded_one(show) -> None:
    session = open_session([(0.0, 0.0), (0.02, 0.0), (0.5, 0.5)])
    canvas = show(session)
    session.commit(KeepTop(1))
    kept = next(iter(session.document.kept(0)))
    other = 1 if kept == 0 else 0
    hit = canvas.overlay.hit(canvas.viewport.to_view([(0.0, 0.0), (0.02, 0.0)][other]))
    assert hit is not None
    assert hit.row == kept


def test_maps_are_tinted_in_the_particles_colours() -> None:
    maps = np.zeros((2, 4, 4), np.uint8)
    maps[0, 0, 0] = 255
    maps[1, 3, 3] = 128
    image = tinted(maps, (0, 1)).convertToFormat(QImage.Format.Format_ARGB32)
    assert image.pixelColor(0, 0).name() == "#4477aa"
    assert image.pixelColor(0, 0).alpha() == 255
    assert image.pixelColor(3, 3).alpha() == 128
    assert image.pixelColor(1, 1).alpha() == 0
    strong = tinted(maps, (0, 1), normalise=True).convertToFormat(QImage.Format.Format_ARGB32)
    assert strong.pixelColor(3, 3).alpha() == 255


def test_masks_heatmaps_and_glimpses_are_painted_when_switched_on(show, session: Session) -> None:
    canvas = show(session)
    masks = np.zeros((5, 32, 32), np.uint8)
    masks[1, 20:24, 8:24] = 255
    glimpses = np.zeros((5, 8, 8, 4), np.uint8)
    glimpses[3] = (255, 0, 0, 255)
    session.preview(MoveParticles(0, (4,), ((0.0, 0.0),)))
    session.commit()
    grey(session, "edited", masks=masks, heatmaps=masks // 2, glimpses=glimpses)

    def colour(at: QPoint) -> tuple[int, int, int]:
        shown = canvas.grab().toImage().pixelColor(at)
        return shown.red(), shown.green(), shown.blue()

    inside_mask, inside_glimpse = QPoint(150, 270), QPoint(300 + 35, 300 + 35)
    for name, at in (
        ("masks", inside_mask),
        ("heatmaps", inside_mask),
        ("glimpses", inside_glimpse),
    ):
        assert colour(at) == (100, 100, 100)
        session.update_view(layers=session.view.with_layer(name, visible=True).layers)
        red, green, blue = colour(at)
        assert red > 130
        assert red > green
        assert red > blue
        session.update_view(layers=session.view.with_layer(name, visible=False).layers)
        assert colour(at) == (100, 100, 100)


def test_ellipses_lie_at_one_and_two_standard_deviations(show, session: Session) -> None:
    canvas = show(session)
    # 0.05 in unit coordinates are 10 points; the fourth particle is blue's neighbour, yellow
    for selection in (frozenset[int](), frozenset({3})):
        session.update_view(selection=selection, layers=session.view.with_layer(
            "particles", visible=False).with_layer("labels", visible=False).layers)  # fmt: skip
        image = canvas.grab().toImage()
        shade = {r: image.pixelColor(300, 300 + r).blue() for r in (5, 10, 15, 20, 25)}
        assert shade[10] < shade[5] - 5
        assert shade[20] < shade[15] - 5
        assert shade[5] < shade[15] < shade[25] == 100
    session.update_view(layers=session.view.with_layer("ellipses", visible=False).layers)
    assert canvas.grab().toImage().pixelColor(300, 310).getRgb() == (100, 100, 100, 255)


def test_a_position_that_could_be_anywhere_has_no_ellipse(show, session: Session) -> None:
    latents = session.latents
    assert latents is not None
    wild = Latents(latents.position, latents.topology, torch.zeros(1, 5, 2))
    session.open_media(session.document.media)
    session.receive_encoding(1, 1, 0, Encoding(wild))
    grey(session, "edited")
    canvas = show(session)
    image = canvas.grab().toImage()
    assert image.pixelColor(200, 160).getRgb() == (100, 100, 100, 255)


def test_fewer_decoded_particles_keep_their_own_colours() -> None:
    maps = np.zeros((2, 2, 2), np.uint8)
    extras = Extras({"masks": maps, "glimpses": np.zeros((2, 2, 2, 4), np.uint8)}, (1, 4), (1, 4))
    assert sorted(extras.glimpse_rows) == [1, 4]


def test_another_model_with_more_particles_and_no_spread_either_is_read_anew() -> None:
    session = open_session(POSITIONS, presence="none", uncertainty=False)
    reader = MarkReader(session)
    for key, count in ((1, 2), (2, 7), (3, 3)):
        info = ModelInfo(key, "m", "m", "Fake", Capabilities((32, 32), count))
        session.open_model(info)
        latents = Latents(torch.rand(1, count, 2) - 0.5, Topology.flat(count))
        assert session.receive_encoding(key, 1, 0, Encoding(latents))
        assert len(reader.read("edited")) == count
