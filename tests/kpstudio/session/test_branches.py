from __future__ import annotations

import json

import pytest
import torch

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.errors import InputError
from kpcore.latents import Latents, Topology
from kpstudio.session.branch_edits import (
    AddBranch,
    DrawFutures,
    DuplicateBranch,
    ExtendBranch,
    FollowEdits,
    RemoveBranch,
    RenameBranch,
)
from kpstudio.session.branches import next_key
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.edits import MoveParticles, Restore, from_plain, to_plain
from kpstudio.session.session import Session
from kpstudio.session.view import Comparison

COUNT = 3
WHAT_IF = AddBranch("b2", "What-if 1", (1, 2), 10, follows=True, baseline="b1")
MOVE = MoveParticles(2, (0,), ((0.5, 0.5),))


def latents(frame: int) -> Latents:
    make = torch.Generator().manual_seed(frame)
    return Latents(torch.rand(1, COUNT, 2, generator=make) - 0.5, Topology.flat(COUNT))


@pytest.fixture
def session() -> Session:
    opened = Session()
    can = Capabilities((32, 32), COUNT, video_history=2)
    opened.open_model(ModelInfo(1, "m", "m", "Fake", can))
    opened.open_media(MediaInfo(1, "v", "v", "video", 5))
    for frame in range(4):
        opened.receive_encoding(1, 1, frame, Encoding(latents(frame)))
    return opened


def branch(session: Session, key: str):
    return next(one for one in session.document.branches if one.key == key)


def test_a_branch_starts_from_the_particles_at_its_frames(session):
    session.commit(MOVE)
    session.commit(AddBranch("b1", "Edited", (1, 2), 10))
    session.commit(AddBranch("b2", "As it was", (1, 2), 10, source="encoded"))
    edited, encoded = branch(session, "b1"), branch(session, "b2")
    assert edited.start[0] is session.document.original(1)
    assert edited.start[1] is session.document.latents(2)
    assert encoded.start[1] is session.document.original(2)
    assert (edited.frames, edited.end, edited.number) == ((1, 2), 12, 1)
    assert session.document.length == 13


def test_a_what_if_brings_its_baseline_in_one_step_and_follows_the_hand(session):
    session.commit(WHAT_IF)
    assert [one.key for one in session.document.branches] == ["b1", "b2"]
    session.preview(MOVE)
    assert branch(session, "b2").start[1] is session.document.latents(2)
    assert branch(session, "b1").start[1] is session.document.original(2)
    session.commit()
    moved = branch(session, "b2").start[1]
    assert moved.rows("position")[0] == [0.5, 0.5]
    session.commit(Restore(2))
    assert branch(session, "b2").start[1].equals(session.document.original(2))
    session.undo()
    assert branch(session, "b2").start[1] is moved
    session.commit(MoveParticles(3, (0,), ((0.1, 0.1),)))
    assert branch(session, "b2").start[1] is moved
    session.go_to(0)
    assert session.document.branches == ()


def test_the_next_what_if_takes_over_and_the_one_before_stays(session):
    session.commit(WHAT_IF)
    session.commit(AddBranch("b3", "What-if 2", (1, 2), 10, follows=True))
    session.commit(MOVE)
    assert branch(session, "b2").start[1] is session.document.original(2)
    assert branch(session, "b3").start[1] is session.document.latents(2)
    session.commit(FollowEdits("b2", True))
    assert branch(session, "b2").start[1] is session.document.latents(2)
    assert [one.follows for one in session.document.branches] == [False, True, False]


def test_branches_are_renamed_copied_extended_drawn_and_removed(session):
    session.commit(WHAT_IF)
    session.commit(RenameBranch("b2", "  Red car left "))
    session.commit(DuplicateBranch("b2", "b3", "Red car left copy"))
    session.commit(ExtendBranch("b3", 25))
    session.commit(DrawFutures("b3", 8, 5))
    session.commit(FollowEdits("b2", False))
    session.commit(RemoveBranch("b1", "As encoded"))
    red, copy = session.document.branches
    assert (red.name, red.steps, red.follows) == ("Red car left", 10, False)
    assert (copy.steps, copy.futures, copy.seed, copy.follows) == (25, 8, 5, False)
    assert copy.start is red.start
    assert next_key(session.document.branches) == "b4"
    labels = [entry.label for entry in session.history.entries]
    assert labels[0] == "What-if from frame 3"
    assert labels[-1] == "Delete As encoded"
    while session.history.cursor:
        session.undo()
    assert session.document.branches == ()
    session.go_to(len(labels))
    assert [one.key for one in session.document.branches] == ["b2", "b3"]


def test_the_log_of_branches_replays_to_the_same_particles(session):
    for edit in (MOVE, WHAT_IF, MoveParticles(1, (1,), ((0.2, 0.2),)), ExtendBranch("b2", 12)):
        session.commit(edit)
    log = [from_plain(json.loads(json.dumps(to_plain(e.edit)))) for e in session.history.entries]
    assert log == [entry.edit for entry in session.history.entries]
    before = session.document.branches
    session.restore_history(log, len(log))
    after = session.document.branches
    assert [one.steps for one in after] == [10, 12]
    for old, new in zip(before, after, strict=True):
        assert all(a.equals(b) for a, b in zip(old.start, new.start, strict=True))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (AddBranch("b1", "x", (3, 4), 10), "frame 5 has no particles"),
        (AddBranch("b1", "x", (1, 3), 10), "successive"),
        (AddBranch("b1", "x", (1, 2), 0), "1 to 10,000"),
        (AddBranch("b1", "x", (1, 2), 10, futures=65), "1 to 64"),
        (AddBranch("first", "x", (1, 2), 10), "'b' and a number"),
        (RenameBranch("b9", "x"), "no branch 'b9'"),
        (ExtendBranch("b9", 3), "no branch 'b9'"),
    ],
)
def test_a_wrong_edit_is_told_in_one_sentence_and_changes_nothing(session, edit, words):
    before = session.document
    with pytest.raises(InputError, match=words):
        session.commit(edit)
    assert session.document is before


def test_what_is_beside_an_extended_branch_goes_on_as_far(session):
    session.commit(WHAT_IF)
    session.commit(ExtendBranch("b2", 14, beside="b1"))
    assert [one.end for one in session.document.branches] == [16, 16]
    session.commit(ExtendBranch("b1", 11, beside="b2"))
    assert [one.end for one in session.document.branches] == [13, 16]


def test_an_empty_name_and_a_taken_key_are_refused(session):
    session.commit(WHAT_IF)
    for edit in (RenameBranch("b1", "  "), WHAT_IF, DuplicateBranch("b1", "b2", "x")):
        with pytest.raises(InputError):
            session.commit(edit)
    assert len(session.document.branches) == 2


def test_frames_beyond_the_video_are_looked_at_without_asking_for_particles(session):
    asked: list[int] = []
    session.encoding_wanted.connect(asked.append)
    session.commit(WHAT_IF)
    session.update_view(frame=4)
    session.update_view(frame=9)
    assert asked == [4]
    assert session.latents is None


def test_while_futures_are_compared_only_the_start_frames_are_decoded(session):
    asked: list[int] = []
    wanted: list[int] = []
    session.encoding_wanted.connect(asked.append)
    session.picture_wanted.connect(lambda want: wanted.append(want.frame))
    session.update_view(frame=2)
    session.commit(WHAT_IF)
    session.update_view(comparison=Comparison("wipe", "b1", "b2"))
    wanted.clear()
    session.update_view(frame=3)
    session.update_view(frame=4)
    assert (wanted, asked) == ([], [])
    session.update_view(frame=1)
    assert wanted == [1]
    session.update_view(frame=4)
    session.update_view(comparison=Comparison())
    assert asked == [4]


def test_the_dividers_place_is_held_inside_the_picture():
    assert Comparison().with_divider(1.7).divider == 1.0
    assert Comparison().with_divider(-0.1).divider == 0.0
