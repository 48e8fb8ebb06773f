from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def environment_after_import(tmp_path: Path, before: dict[str, str]) -> list[str]:
    """Import our module with a cv2 that sets Qt's variables, as opencv-python does."""
    (tmp_path / "cv2.py").write_text(
        "import os\n"
        f"for name in {NAMES}: os.environ[name] = '/somewhere/cv2/qt'\n"
        "class utils:\n"
        "    class logging:\n"
        "        LOG_LEVEL_SILENT = 0\n"
        "        setLogLevel = staticmethod(lambda level: None)\n"
        "def setNumThreads(count): pass\n"
    )
    code = (
        "import os, kpcore.opencv\n"
        f"print(*[os.environ.get(name, 'unset') for name in {NAMES}], sep='\\n')"
    )
    root = Path(__file__).resolve().parents[3]
    environment = {k: v for k, v in os.environ.items() if k not in NAMES} | before
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(root)])
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_qt_variables_that_opencv_sets_are_removed(tmp_path: Path):
    assert environment_after_import(tmp_path, {}) == ["unset", "unset"]


def test_qt_variables_of_the_user_are_kept(tmp_path: Path):
    mine = dict.fromkeys(NAMES, "/mine")
    assert environment_after_import(tmp_path, mine) == ["/mine", "/mine"]


@pytest.mark.parametrize("name", NAMES)
def test_the_real_opencv_leaves_no_qt_variable(name: str, monkeypatch: pytest.MonkeyPatch):
    code = f"import os, kpcore.opencv; raise SystemExit({name!r} in os.environ)"
    monkeypatch.delenv(name, raising=False)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
