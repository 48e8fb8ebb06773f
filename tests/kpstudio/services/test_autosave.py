from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kpstudio.services import session_file
from kpstudio.services.autosave import Autosave, find_recoverable
from kpstudio.services.reopen import restore, save_session
from kpstudio.session.edits import KeepTop, MoveParticles

if TYPE_CHECKING:
    from tests.kpstudio.services.conftest import Bench

ROOT = Path(__file__).resolve().parents[3]

EDITOR = """
import sys
from pathlib import Path
import torch
from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpstudio.services.autosave import Autosave
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.edits import MoveParticles
from kpstudio.session.session import Session

session = Session()
autosave = Autosave(session, Path(sys.argv[1]))
session.open_model(ModelInfo(1, "m.safetensors", "m", "Fake", Capabilities((8, 8), 2)))
session.open_media(MediaInfo(1, "v.mp4", "v.mp4", "video", 3))
session.receive_encoding(1, 1, 0, Encoding(Latents(torch.zeros(1, 2, 2), Topology.flat(2))))
number = 0
while True:
    session.commit(MoveParticles(0, (0,), ((number / 1e6, 0.0),)))
    number += 1
    print(number, flush=True)
    session.preview(MoveParticles(0, (1,), ((0.5, 0.5),)))
"""

SAVER = """
import sys
import numpy as np
from kpstudio.services.session_file import SavedMedia, SavedSession, save

media = SavedMedia("v.mp4", "v.mp4", "video", 3)
pictures = {n: np.full((256, 256, 3), n, np.uint8) for n in range(20)}
number = 0
while True:
    edits = tuple({"kind": "keep", "count": n} for n in range(number % 50))
    save(sys.argv[1], SavedSession("m.safetensors", "Fake", media, edits, len(edits)), pictures)
    number += 1
    print(number, flush=True)
"""


def run_and_kill(code: str, argument: Path, lines: int) -> int:
    """Run a script until it has printed some lines, kill it outright, return the last number."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(argument)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    last = 0
    for _ in range(lines):
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    return int(rest[-1]) if rest else last


def test_a_kill_while_editing_loses_at_most_one_gesture(tmp_path: Path) -> None:
    done = run_and_kill(EDITOR, tmp_path, 200)
    (left,) = find_recoverable(tmp_path)
    log = left.saved.edit_log()
    assert len(log) >= done
    assert left.saved.cursor == len(log)
    assert log[:done] == [MoveParticles(0, (0,), ((n / 1e6, 0.0),)) for n in range(done)]
    assert left.saved.name == "m on v.mp4"
    left.discard()
    assert find_recoverable(tmp_path) == []


@pytest.mark.parametrize("lines", [1, 3, 6])
def test_a_kill_while_saving_leaves_a_whole_file(tmp_path: Path, lines: int) -> None:
    file = tmp_path / "session.kps"
    run_and_kill(SAVER, file, lines)
    saved, pictures = session_file.load(file)
    assert len(pictures) == 20
    assert len(saved.edits) == saved.cursor


def crash(autosave: Autosave) -> None:
    """Leave the log as a crash does: on disk, and held by nobody."""
    assert autosave._lock is not None
    autosave._lock.release()


def test_edits_are_recovered_into_a_new_session(
    make_bench: Callable[..., Bench], tiny: Path, picture: Path, tmp_path: Path
) -> None:
    bench = make_bench()
    autosave = Autosave(bench.session, tmp_path / "logs")
    bench.open(tiny, picture)
    assert find_recoverable(tmp_path / "logs") == []  # this studio is alive
    session = bench.session
    session.commit(MoveParticles(0, (0,), ((0.1, 0.2),)))
    session.commit(MoveParticles(0, (1,), ((0.3, 0.2),)))
    session.undo()
    session.commit(KeepTop(2))
    session.commit(MoveParticles(0, (2,), ((0.4, 0.2),)), gesture="nudge")
    session.commit(MoveParticles(0, (2,), ((0.5, 0.2),)), gesture="nudge")
    session.undo()
    crash(autosave)

    again = make_bench()
    (left,) = find_recoverable(tmp_path / "logs")
    assert (len(left.saved.edits), left.saved.cursor) == (3, 2)
    done: list[object] = []
    restore(again.engine, again.session, left.saved, {}, done.append)
    again.wait(lambda: done and again.is_exact)
    assert again.session.latents.equals(session.latents)  # type: ignore[union-attr]
    assert again.session.document.keep == 2
    assert not again.session.is_saved
    again.session.redo()
    assert again.session.latents.rows("position")[2] == pytest.approx([0.5, 0.2])  # type: ignore[union-attr, index]


def test_what_the_user_saved_is_not_offered_but_later_edits_are(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path
) -> None:
    autosave = Autosave(bench.session, tmp_path / "logs")
    bench.open(tiny, picture)
    bench.session.commit(MoveParticles(0, (0,), ((0.1, 0.2),)))
    save_session(bench.engine, bench.session, tmp_path / "a.kps")
    crash(autosave)
    copy = [path.read_bytes() for path in sorted(autosave.folder.iterdir())]
    assert any(b'"saved": true' in text for text in copy)
    bench.session.commit(KeepTop(2))
    (left,) = find_recoverable(tmp_path / "logs")
    assert len(left.saved.edits) == 2


def test_ending_well_leaves_nothing(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path
) -> None:
    autosave = Autosave(bench.session, tmp_path / "logs")
    bench.open(tiny, picture)
    bench.session.commit(KeepTop(2))
    assert autosave.folder.is_dir()
    autosave.close()
    assert not autosave.folder.exists()
    bench.session.commit(KeepTop(3))
    assert find_recoverable(tmp_path / "logs") == []


def test_half_a_line_is_passed_over(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path
) -> None:
    autosave = Autosave(bench.session, tmp_path / "logs")
    bench.open(tiny, picture)
    bench.session.commit(KeepTop(2))
    bench.session.commit(KeepTop(3))
    crash(autosave)
    (log,) = autosave.folder.glob("edits-*.jsonl")
    log.write_bytes(log.read_bytes()[:-9])
    (left,) = find_recoverable(tmp_path / "logs")
    assert left.saved.edit_log() == [KeepTop(2)]


def test_a_folder_that_cannot_be_written_is_told_once(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    autosave = Autosave(bench.session, blocked)
    bench.open(tiny, picture)
    bench.session.commit(KeepTop(2))
    bench.session.commit(KeepTop(3))
    told = [notice for notice in bench.notices if "cannot be logged" in notice.text]
    assert len(told) == 1
    blocked.unlink()  # the disk is there again
    bench.session.commit(KeepTop(1))
    crash(autosave)
    (left,) = find_recoverable(blocked)
    assert left.saved.edit_log() == [KeepTop(2), KeepTop(3), KeepTop(1)]
