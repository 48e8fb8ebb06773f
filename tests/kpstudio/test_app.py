from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kpcore.errors import InputError
from kpstudio.app import arguments
from kpstudio.resource_files import resource_path
from kpstudio.services.session_file import SavedMedia, SavedSession
from kpstudio.session.document import MediaInfo
from kpstudio.ui.failures import catch_exceptions

ROOT = Path(__file__).resolve().parents[2]


def environment(home: Path, **more: str) -> dict[str, str]:
    folders = {
        f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")
    }
    return {**os.environ, **folders, "QT_QPA_PLATFORM": "offscreen", **more}


def run(home: Path, *given: str, timeout: float = 110, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "kpstudio", *given],
        cwd=ROOT, env=environment(home, **more), capture_output=True, text=True, timeout=timeout,
        check=False,
    )  # fmt: skip


# -- arguments -------------------------------------------------------------------------------------
def test_arguments_are_read():
    given = arguments(["a.png", "b.safetensors", "--device", "cuda:1", "--theme", "light"])
    assert given.paths == ["a.png", "b.safetensors"]
    assert (given.device, given.theme, given.demo) == ("cuda:1", "light", None)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--device", "gpu"], "--device is auto, cpu, cuda, cuda:N or mps; got 'gpu'"),
        (["--size", "10"], "--size is WIDTHxHEIGHT"),
        (["--theme", "blue"], "invalid choice: 'blue'"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_a_status(capsys, wrong, sentence):
    with pytest.raises(SystemExit) as ended:
        arguments(wrong)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


# -- exceptions ------------------------------------------------------------------------------------
@pytest.fixture
def told():
    posted: list = []
    sentences: list[tuple[str, str]] = []
    before = catch_exceptions(posted.append, lambda *said: sentences.append(said))
    yield posted, sentences
    sys.excepthook, threading.excepthook = before


def test_no_exception_dies_silently(told, caplog):
    posted, sentences = told
    try:
        raise InputError("the picture has no pixels")
    except InputError as error:
        with caplog.at_level(logging.ERROR):
            sys.excepthook(InputError, error, error.__traceback__)
    for function in posted:
        function()
    assert sentences[0][0].endswith("what is open is kept: the picture has no pixels")
    assert "Traceback" in sentences[0][1]
    assert "the picture has no pixels" in caplog.text


def test_exceptions_of_threads_are_told_too(told):
    posted, sentences = told
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    for function in posted:
        function()
    assert "ZeroDivisionError" in sentences[0][0]


# -- the program -----------------------------------------------------------------------------------
def test_the_window_is_painted_before_torch_is_imported(home_of_its_own):
    code = (
        "import sys\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from kpstudio.app import Application, arguments\n"
        "app = QApplication(['kpstudio'])\n"
        "application = Application(app, arguments([]))\n"
        "application.window.show()\n"
        "application.window.repaint()\n"
        "assert application.window.isVisible()\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'torch', 'pyqtgraph', 'av', 'cv2', 'scipy'}, loaded\n"
        "application.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(home_of_its_own),
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_it_cleanly(home_of_its_own, tmp_path, number):
    timings = tmp_path / "timings.jsonl"
    child = subprocess.Popen(
        [sys.executable, "-m", "kpstudio"], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env=environment(home_of_its_own, KPSTUDIO_TIMINGS=str(timings)),
    )  # fmt: skip
    until = time.monotonic() + 60
    while time.monotonic() < until and not (timings.exists() and timings.read_text()):
        time.sleep(0.05)
    child.send_signal(number)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert "Traceback" not in said
    assert json.loads(timings.read_text().splitlines()[0])["event"] == "window_shown"


def test_a_signal_ends_it_while_it_asks_about_unsaved_edits(home_of_its_own):
    """The question is the window's own, asked from within its closing."""
    code = (
        "import os, signal\n"
        "from PySide6.QtCore import QTimer\n"
        "from PySide6.QtWidgets import QApplication, QMessageBox\n"
        "from kpstudio.app import Application, arguments\n"
        "app = QApplication(['kpstudio'])\n"
        "application = Application(app, arguments([]))\n"
        "window = application.window\n"
        "def ask():\n"
        "    box = QMessageBox(window)\n"
        "    QTimer.singleShot(200, lambda: os.kill(os.getpid(), signal.SIGTERM))\n"
        "    box.exec()\n"
        "    return 'cancel'\n"
        "window.files.ask_unsaved = ask\n"
        "window.files.may_replace = lambda: window.files.ask_unsaved() == 'discard'\n"
        "window.show()\n"
        "QTimer.singleShot(500, window.close)\n"
        "status = app.exec()\n"
        "application.close()\n"
        "raise SystemExit(status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(home_of_its_own),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_versions_and_devices(home_of_its_own):
    done = run(home_of_its_own, "--doctor")
    assert done.returncode == 0, done.stderr
    for fact in ("Keypoint Studio", "PySide6-Essentials", "torch", "CPU", "settings.json"):
        assert fact in done.stdout


def test_a_scripted_picture_of_nothing_openable_is_an_error(home_of_its_own, tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"nothing of the kind")
    done = run(home_of_its_own, str(path), "--screenshot", str(tmp_path / "shot.png"))
    assert done.returncode == 1
    assert "broken.safetensors" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "shot.png").exists()


def has_demo() -> bool:
    try:
        return resource_path("checkpoints/demo.safetensors").is_file()
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not has_demo(), reason="this tree has no demo checkpoint")
def test_the_scripted_drag_films_the_window_at_twice_the_density(home_of_its_own, tmp_path):
    """One run for all of it: demo, drag, film, timings, screenshot, high density."""
    import av
    from PIL import Image

    film, shot, timings = (tmp_path / name for name in ("film.mp4", "shot.png", "t.jsonl"))
    done = run(
        home_of_its_own, "--demo", "--size", "900x600", "--scripted-drag", str(film),
        "--screenshot", str(shot), QT_SCALE_FACTOR="2", KPSTUDIO_TIMINGS=str(timings),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Image.open(shot) as picture:
        assert picture.size == (1800, 1200)
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 500
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) > 60
    middle = [frame[:, : frame.shape[1] // 2] for frame in frames]
    moved = abs(middle[len(middle) // 3].astype(int) - middle[0].astype(int)).max()
    assert moved > 60, "the picture did not follow the hand"
    events = {json.loads(line)["event"] for line in timings.read_text().splitlines()}
    assert {"window_shown", "picture_shown", "exact_painted"} <= events


# -- recovery --------------------------------------------------------------------------------------
class Left:
    """What a studio left behind."""

    def __init__(self) -> None:
        self.discarded = False
        edit = {"kind": "move", "frame": 2, "rows": [0], "to": [[0.0, 0.0]]}
        media = SavedMedia("/nowhere/clip.mp4", "clip.mp4", "video", 5)
        self.saved = SavedSession("/nowhere/toy.safetensors", "Toy", media, (edit,), 1)
        self.time = 0.0

    def discard(self) -> None:
        self.discarded = True


@pytest.fixture
def application(qtbot, monkeypatch):
    from PySide6.QtWidgets import QApplication

    from kpstudio.app import Application

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    made = Application(app, arguments([]))
    qtbot.addWidget(made.window)
    made.window.files.ask_unsaved = lambda: "discard"
    yield made
    made.close()
    made.setParent(None)
    app.setStyleSheet("")


def test_paths_of_the_command_line_are_kept_whole(application, monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(application.window.files, "open_any", opened.extend)
    monkeypatch.chdir(tmp_path)
    application.given = arguments(["scene.png"])
    application._open_given()
    assert opened == [tmp_path / "scene.png"], "elsewhere it would be another file, or none"


@pytest.mark.parametrize(
    ("answer", "discarded", "restored"),
    [("recover", True, True), ("discard", True, False), ("later", False, False)],
)
def test_what_a_crash_left_is_offered(application, monkeypatch, answer, discarded, restored):
    left, opened, asked = Left(), [], []

    def restore(engine, session, saved, pictures, done):
        opened.append(saved)
        session.open_media(MediaInfo(1, saved.media.path, saved.media.name, "video", 5))
        done(saved)

    monkeypatch.setattr("kpstudio.services.autosave.find_recoverable", lambda: [left])
    monkeypatch.setattr("kpstudio.services.reopen.restore", restore)
    monkeypatch.setattr(
        "kpstudio.ui.dialogs.ask_recovery", lambda *said: asked.append(said[1:3]) or answer
    )
    application._offer_recovery()
    assert asked == [("toy on clip.mp4", 1)]
    assert left.discarded is discarded
    assert bool(opened) is restored
    assert application.studio.session.view.frame == (2 if restored else 0)


def test_a_recovery_that_fails_is_told_and_kept(application, monkeypatch):
    left, told = Left(), []

    def restore(*_):
        raise InputError("the checkpoint is missing")

    application.studio.session.noticed.connect(lambda notice: told.append(notice.text))
    monkeypatch.setattr("kpstudio.services.autosave.find_recoverable", lambda: [left])
    monkeypatch.setattr("kpstudio.services.reopen.restore", restore)
    monkeypatch.setattr("kpstudio.ui.dialogs.ask_recovery", lambda *_: "recover")
    application._offer_recovery()
    assert told == ["the checkpoint is missing"]
    assert not left.discarded


# -- the main job ----------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.skipif(not has_demo(), reason="this tree has no demo checkpoint")
def test_open_drag_see_undo_save_and_reopen(application, qtbot, tmp_path):
    """A real model behind the real window, driven by the mouse."""
    from PySide6.QtCore import QPoint, Qt

    window, session = application.window, application.studio.session
    told: list[str] = []
    session.noticed.connect(lambda notice: told.append(notice.text))
    window.resize(1200, 800)
    window.show()
    qtbot.waitExposed(window)
    window.files.open_demo()
    qtbot.waitUntil(lambda: session.picture("edited") is not None, timeout=60_000)
    canvas = window.compare.main
    before = session.picture("edited").pixels.copy()
    mark = max(canvas.overlay.marks, key=lambda mark: mark.certainty)
    start = QPoint(*map(round, canvas.viewport.to_view(mark.at)))
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(canvas, left, pos=start)
    step = 4 if start.x() < canvas.width() / 2 else -4
    for index in range(1, 21):
        qtbot.mouseMove(canvas, start + QPoint(step * index, 0))
        qtbot.wait(10)
    assert session.in_gesture
    qtbot.mouseRelease(canvas, left, pos=start + QPoint(step * 20, 0))
    assert session.history.cursor == 1

    def is_exact():
        picture = session.picture("edited")
        return picture.tier == "exact" and picture.revision == session.revision

    qtbot.waitUntil(is_exact, timeout=20_000)
    after = session.picture("edited").pixels.copy()
    assert abs(after.astype(int) - before).max() > 40
    moved = session.latents
    session.undo()
    qtbot.waitUntil(is_exact, timeout=20_000)
    assert (session.picture("edited").pixels == before).all()
    session.redo()
    qtbot.waitUntil(is_exact, timeout=20_000)
    path = tmp_path / "work.kps"
    assert window.files.save_to(path), told
    assert session.is_saved
    assert window.windowTitle().startswith("work.kps · ")
    window.files.close()
    assert session.document.model is None
    window.files.open_any([path])
    qtbot.waitUntil(lambda: session.history.cursor == 1, timeout=60_000)
    assert session.latents.rows("position") == moved.rows("position")
    qtbot.waitUntil(is_exact, timeout=20_000)
    assert (session.picture("edited").pixels == after).all()
    assert session.is_saved
