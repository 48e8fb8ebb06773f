from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpstudio.session.document import Document, MediaInfo, ModelInfo
from kpstudio.session.edits import (
    KeepTop,
    MoveParticles,
    Restore,
    SetFeatures,
    SetPresence,
    SwapParticles,
    from_plain,
    nudge,
    to_plain,
)
from kpstudio.session.pictures import Picture
from kpstudio.session.session import Session

COUNT = 4


def latents(seed: int = 0) -> Latents:
    make = torch.Generator().manual_seed(seed)
    return Latents(
        torch.rand(1, COUNT, 2, generator=make) * 1.6 - 0.8,
        Topology.flat(COUNT),
        position_log_var=torch.rand(1, COUNT, 2, generator=make),
        feature=torch.rand(1, COUNT, 3, generator=make),
        presence=torch.tensor([[1.0, 0.9, 0.1, 0.8]]),
    )


@pytest.fixture
def session() -> Session:
    opened = Session()
    opened.open_model(
        ModelInfo(1, "m", "m", "Fake", Capabilities((32, 32), COUNT, presence="gate"))
    )
    opened.open_media(MediaInfo(1, "v", "v", "video", 3))
    opened.receive_encoding(1, 1, 0, Encoding(latents()))
    return opened


EDITS = [
    MoveParticles(0, (0, 2), ((0.1, 0.2), (-0.3, 0.4))),
    SetPresence(0, (1,), (0.0,)),
    SetFeatures(0, (3,), ((1.0, 2.0, 3.0),)),
    SwapParticles(0, 0, 1),
    KeepTop(2),
    Restore(0, (0,)),
    Restore(0),
]


def test_undo_then_redo_restores_bit_for_bit(session: Session) -> None:
    states = [session.latents]
    for edit in EDITS:
        session.commit(edit)
        states.append(session.latents)
    for state in reversed(states[:-1]):
        session.undo()
        assert session.latents.equals(state)
    assert session.document.keep is None
    for state in states[1:]:
        session.redo()
        assert session.latents.equals(state)
    assert session.document.keep == 2


@pytest.mark.parametrize("edit", EDITS)
def test_edits_survive_json(edit: Any) -> None:
    import json

    assert from_plain(json.loads(json.dumps(to_plain(edit)))) == edit


def test_positions_are_held_inside_the_image(session: Session) -> None:
    session.commit(MoveParticles(0, (0,), ((3.0, -2.0),)))
    assert session.latents.rows("position")[0] == [1.0, -1.0]


def test_cancel_leaves_no_trace(session: Session) -> None:
    before = session.latents
    session.preview(MoveParticles(0, (0,), ((0.5, 0.5),)))
    assert session.latents.rows("position")[0] == [0.5, 0.5]
    session.cancel()
    assert session.latents is before
    assert session.history.cursor == 0


def test_a_gesture_merges_into_one_step(session: Session) -> None:
    for _ in range(5):
        session.commit(nudge(session.latents, 0, (0,), (0.01, 0.0)), gesture="nudge 0")
    assert len(session.history.entries) == 1


def test_late_answers_are_dropped(session: Session) -> None:
    def picture(revision: int, tier: Any, base: int = 0) -> Picture:
        return Picture(np.zeros((2, 2, 3), np.uint8), revision, 0, tier, base=base)

    assert session.receive_picture("edited", 1, 1, picture(5, "preview", 1))
    assert not session.receive_picture("edited", 1, 1, picture(4, "exact"))
    assert session.receive_picture("edited", 1, 1, picture(5, "preview", 3))
    assert session.receive_picture("edited", 1, 1, picture(5, "draft", 5))
    assert not session.receive_picture("edited", 1, 1, picture(5, "preview", 4))
    assert session.receive_picture("edited", 1, 1, picture(5, "exact"))
    assert not session.receive_picture("edited", 1, 1, picture(5, "preview", 4))
    assert not session.receive_picture("edited", 1, 1, picture(5, "draft", 5))
    assert not session.receive_picture("edited", 2, 1, picture(9, "exact"))
    assert not session.receive_encoding(2, 1, 1, Encoding(latents(1)))


def test_keep_top_drops_the_least_sure_and_undoes(session: Session) -> None:
    session.commit(KeepTop(2))
    shown = session.document.shown(0)
    order = session.document.ranking(0)
    assert order[-1] == 2  # the absent one
    presence = shown.rows("presence")
    assert [row for row in range(COUNT) if presence[row] > 0] == sorted(order[:2])
    session.undo()
    assert session.document.shown(0).rows("presence") == latents().rows("presence")


def test_another_frame_keeps_the_edits_of_the_first(session: Session) -> None:
    session.commit(MoveParticles(0, (0,), ((0.25, 0.25),)))
    wanted: list[int] = []
    session.encoding_wanted.connect(wanted.append)
    session.update_view(frame=2)
    assert wanted == [2]
    session.receive_encoding(1, 1, 2, Encoding(latents(2)))
    session.update_view(frame=0)
    assert session.latents.rows("position")[0] == [0.25, 0.25]
    session.undo()
    session.update_view(frame=2)
    assert session.latents.equals(latents(2))


def test_saved_mark_follows_the_cursor(session: Session) -> None:
    assert session.is_saved
    session.commit(EDITS[0])
    assert not session.is_saved
    session.mark_saved()
    session.undo()
    assert not session.is_saved
    session.redo()
    assert session.is_saved


def test_an_edit_leaves_particles_alone_that_were_encoded_outside_the_image(session: Session):
    outside = latents().with_rows("position", [0], [[-1.04, 0.2]])
    session.open_media(MediaInfo(2, "w", "w", "image", 1))
    session.receive_encoding(1, 2, 0, Encoding(outside))
    session.commit(MoveParticles(0, (1,), ((2.0, 0.0),)))
    position: Any = session.latents.rows("position")
    assert position[0] == pytest.approx([-1.04, 0.2])
    assert position[1] == pytest.approx([1.0, 0.0])
    session.commit(Restore(0))
    assert session.latents.equals(outside)


def whole(seed: int) -> Encoding:
    return Encoding(latents(seed), {"maps": torch.zeros(1, 250)})


def test_the_shown_frame_stays_decodable_however_many_are_encoded_behind_it() -> None:
    session = Session()
    session.open_model(ModelInfo(1, "m", "m", "Fake", Capabilities((32, 32), COUNT)))
    session.open_media(MediaInfo(1, "v", "v", "video", 50))
    session.document.encoded._room = 3_000
    session.receive_encoding(1, 1, 0, whole(0))
    for frame in range(1, 50):
        session.receive_encoding(1, 1, frame, whole(frame))
    assert session.want() is not None
    assert session.document.encoded.context_bytes <= 3_000


def test_an_edit_of_a_frame_that_lost_its_context_asks_for_it_and_is_kept() -> None:
    session = Session()
    session.open_model(ModelInfo(1, "m", "m", "Fake", Capabilities((32, 32), COUNT)))
    session.open_media(MediaInfo(1, "v", "v", "video", 50))
    session.document.encoded._room = 1_500
    for frame in range(3):
        session.receive_encoding(1, 1, frame, whole(frame))
    session.update_view(frame=1)
    asked: list[int] = []
    pictures: list[Any] = []
    session.encoding_wanted.connect(asked.append)
    session.picture_wanted.connect(pictures.append)
    assert session.document.encoded.get(1) is None
    session.commit(MoveParticles(1, (0,), ((0.25, 0.25),)))
    assert set(asked) == {1}
    assert not pictures
    session.receive_encoding(1, 1, 1, whole(1))
    assert pictures[-1].latents.rows("position")[0] == [0.25, 0.25]
    session.undo()
    assert session.latents.equals(latents(1))


def test_a_pair_is_never_seen_half_beside_what_was_open(session: Session) -> None:
    seen: list[tuple[str, str]] = []

    def note(document: Document) -> None:
        assert document.model is not None
        assert document.media is not None
        seen.append((document.model.title, document.media.name))

    session.document_changed.connect(note)
    session.update_view(frame=1)
    seen.clear()
    model = ModelInfo(2, "n", "n", "Fake", Capabilities((32, 32), COUNT))
    session.open_pair(model, MediaInfo(2, "w", "w", "video", 4))
    assert set(seen) == {("n", "w")}
    assert session.view.frame == 0
