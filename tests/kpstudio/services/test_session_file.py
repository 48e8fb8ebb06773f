from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kpcore.errors import CheckpointError, DataError, InputError
from kpstudio.services import session_file
from kpstudio.services.exporting import export_latents, export_picture
from kpstudio.services.reopen import open_session, save_session
from kpstudio.services.session_file import SavedView, restored_view
from kpstudio.session.edits import KeepTop, MoveParticles, SetPresence
from kpstudio.session.view import ViewState

if TYPE_CHECKING:
    from tests.kpstudio.services.conftest import Bench


def edit_two_frames(bench: Bench) -> None:
    session = bench.session
    session.commit(MoveParticles(0, (0,), ((0.3, -0.2),)))
    session.update_view(frame=2)
    bench.wait(lambda: 2 in session.document.encoded)
    session.commit(SetPresence(2, (1,), (0.0,)))
    session.commit(KeepTop(3))
    session.undo()
    session.update_view(selection=frozenset({1, 2}), main="input", level=0)
    session.update_view(layers=session.view.with_layer("masks", visible=True).layers)
    bench.wait(lambda: bench.is_exact)


def test_a_saved_session_opens_as_it_was(
    make_bench: Callable[..., Bench], tiny: Path, folder: Path, tmp_path: Path
) -> None:
    bench = make_bench()
    bench.open(tiny, folder)
    edit_two_frames(bench)
    file = tmp_path / "wörk.kps"
    save_session(bench.engine, bench.session, file, layout="docks")
    assert bench.session.is_saved

    again = make_bench()
    done: list[session_file.SavedSession] = []
    open_session(again.engine, again.session, file, done=done.append)
    again.wait(lambda: done)
    again.wait(lambda: again.is_exact)
    assert done[0].layout == "docks"
    assert again.session.is_saved
    assert again.session.view == bench.session.view
    assert again.session.history.cursor == 2
    assert len(again.session.history.entries) == 3
    for frame in (0, 2):
        old, new = bench.session.document.latents(frame), again.session.document.latents(frame)
        assert old is not None
        assert new is not None
        assert new.equals(old)
    np.testing.assert_array_equal(
        again.session.picture("edited").pixels,  # type: ignore[union-attr]
        bench.session.picture("edited").pixels,  # type: ignore[union-attr]
    )
    again.session.redo()
    assert again.session.document.keep == 3


def test_it_opens_when_the_media_has_moved(
    make_bench: Callable[..., Bench], tiny: Path, folder: Path, tmp_path: Path
) -> None:
    bench = make_bench()
    bench.open(tiny, folder)
    edit_two_frames(bench)
    file = tmp_path / "session.kps"
    save_session(bench.engine, bench.session, file)
    shutil.rmtree(folder)
    again = make_bench()
    open_session(again.engine, again.session, file)
    again.wait(lambda: again.is_exact and again.session.history.cursor == 2)
    assert "no longer at" in again.notices[-1].text
    again.session.update_view(frame=1)
    again.wait(lambda: again.notices[-1].level == "error")
    assert "frame 2 of 'frames' is not stored" in again.notices[-1].text.lower()


def test_a_missing_checkpoint_is_a_sentence_and_can_be_replaced(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path
) -> None:
    bench.open(tiny, picture)
    bench.session.commit(MoveParticles(0, (0,), ((0.3, -0.2),)))
    file = tmp_path / "sub" / "session.kps"
    save_session(bench.engine, bench.session, file)
    before = bench.session.document
    moved = tmp_path / "elsewhere.safetensors"
    tiny.rename(moved)
    with pytest.raises(CheckpointError, match=r"needs the checkpoint 'tiny\.safetensors'"):
        open_session(bench.engine, bench.session, file)
    assert bench.session.document is before
    open_session(bench.engine, bench.session, file, checkpoint=moved)
    bench.wait(lambda: bench.session.document.model.title == "elsewhere")  # type: ignore[union-attr]
    bench.wait(lambda: len(bench.session.history.entries) == 1)
    moved.rename(file.parent / "tiny.safetensors")
    open_session(bench.engine, bench.session, file)


def test_a_changed_checkpoint_is_told(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path, make_checkpoint: Callable[..., Path]
) -> None:
    bench.open(tiny, picture)
    file = tmp_path / "session.kps"
    save_session(bench.engine, bench.session, file)
    make_checkpoint("tiny", seed=5)
    open_session(bench.engine, bench.session, file)
    bench.wait(lambda: any("has changed" in notice.text for notice in bench.notices))


def test_damaged_files_are_one_sentence(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path
) -> None:
    bench.open(tiny, picture)
    good = tmp_path / "good.kps"
    save_session(bench.engine, bench.session, good)
    cut = tmp_path / "cut.kps"
    cut.write_bytes(good.read_bytes()[:-200])
    with zipfile.ZipFile(tmp_path / "newer.kps", "w") as archive:
        archive.writestr("session.json", json.dumps({"format": 99}))
    with zipfile.ZipFile(tmp_path / "odd.kps", "w") as archive:
        archive.writestr("session.json", json.dumps({"format": 1, "edits": 3}))
    with zipfile.ZipFile(tmp_path / "other.kps", "w") as archive:
        archive.writestr("readme.txt", "no")
    for name, words in {
        "cut.kps": "damaged",
        "newer.kps": "update",
        "odd.kps": "damaged",
        "other.kps": "not a session file",
        "none.kps": "no session file",
    }.items():
        with pytest.raises(DataError, match=words):
            session_file.load(tmp_path / name)
    with pytest.raises(DataError, match="not a session file"):
        session_file.load(picture)


def test_a_failed_save_leaves_the_old_file_whole(
    bench: Bench, tiny: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.open(tiny, picture)
    file = tmp_path / "session.kps"
    save_session(bench.engine, bench.session, file)
    old = file.read_bytes()
    bench.session.commit(MoveParticles(0, (0,), ((0.3, -0.2),)))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        save_session(bench.engine, bench.session, file)
    assert file.read_bytes() == old
    assert not bench.session.is_saved
    assert list(tmp_path.glob(".session*")) == []


def test_nothing_open_is_nothing_to_save(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to save"):
        save_session(bench.engine, bench.session, tmp_path / "a.kps")


def test_pictures_and_particles_are_exported_with_the_framing_undone(
    bench: Bench, tiny: Path, make_picture: Callable[..., Path], tmp_path: Path
) -> None:
    from PIL import Image

    wide = make_picture("wide", size=(40, 100))
    with pytest.raises(InputError, match="no picture"):
        export_picture(bench.engine, bench.session, tmp_path / "a.png")
    bench.open(tiny, wide)
    bench.session.commit(MoveParticles(0, (0,), ((0.3, -0.2),)))
    bench.wait(lambda: bench.is_exact)
    export_picture(bench.engine, bench.session, tmp_path / "source.png")
    export_picture(bench.engine, bench.session, tmp_path / "model.png", source=False)

    def read(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return np.array(image)

    assert read(tmp_path / "source.png").shape == (40, 100, 3)
    np.testing.assert_array_equal(
        read(tmp_path / "model.png"), bench.session.picture("edited").pixels
    )  # type: ignore[union-attr]
    outside = read(tmp_path / "source.png")[:, :20]
    np.testing.assert_array_equal(outside, read(wide)[:, :20])
    assert export_latents(bench.engine, bench.session, tmp_path / "p.npz") == 1
    with np.load(tmp_path / "p.npz") as arrays:
        np.testing.assert_allclose(arrays["position"][0, 0], [0.3, -0.2], atol=1e-6)
        want = ((0.3 * 0.4 + 1) * 100 - 1) / 2
        np.testing.assert_allclose(arrays["source_px"][0, 0, 0], want, atol=1e-4)
    export_latents(bench.engine, bench.session, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text().startswith("frame,particle,x,y")


def test_a_view_of_another_version_keeps_its_layers_and_gains_the_new_ones() -> None:
    usual = ViewState().layers
    older = tuple(reversed([layer for layer in usual if layer.name != "trails"]))
    restored = restored_view(SavedView(layers=older))["layers"]
    assert [layer for layer in restored if layer.name != "trails"] == list(older)
    assert {layer.name for layer in restored} == {layer.name for layer in usual}
