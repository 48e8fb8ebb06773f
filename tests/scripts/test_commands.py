"""The two commands' own logic: what they say and leave behind, with everything heavy stood in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the commands need bash")


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the commands in which pip installs nothing and the user is not root."""
    top = tmp_path / "project with a space"
    shutil.copytree(ROOT / "scripts", top / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, top / name)
    write_program(tmp_path / "stubs" / "id", "echo 1000")
    write_program(tmp_path / "stubs" / "ldd", "exit 0")
    python = f'echo "$@" >>"{tmp_path}/python.log"\n[ "$2" = pip ] && exit 0\n'
    write_program(top / ".venv/bin/python", f'{python}exec "{sys.executable}" "$@"')
    return top


def run(project: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if "DISPLAY" not in name
    } | variables
    environment["PATH"] = f"{project.parent / 'stubs'}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [project / "scripts" / script],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_torch_is_installed_first_and_by_its_pin_and_only_once(project: Path):
    write_program(project / ".venv/bin/kpstudio", "echo film >demo.mp4; echo shot >demo.png")
    assert run(project, "demo").returncode == 0
    log = project.parent / "python.log"
    installs = [line for line in log.read_text().splitlines() if "-m pip" in line]
    assert len(installs) == 2
    assert installs[0].split()[-1].startswith("torch==")
    assert "--constraint constraints.txt" in installs[1]
    assert run(project, "demo").returncode == 0
    assert log.read_text().count("-m pip") == 2
    (project / "constraints.txt").write_text("torch==9.9\n")
    assert run(project, "demo").returncode == 0
    assert "torch==9.9" in log.read_text()


def test_without_a_display_the_demo_says_so_and_writes_film_and_screenshot(project: Path):
    write_program(
        project / ".venv/bin/kpstudio",
        'echo "$QT_QPA_PLATFORM $*" >seen; echo film >demo.mp4; echo shot >demo.png',
    )
    done = run(project, "demo")
    assert done.returncode == 0, done.stderr
    assert "No display was found" in done.stdout
    seen = (project / "seen").read_text().strip()
    assert seen == "offscreen --demo --scripted-drag demo.mp4 --screenshot demo.png"


def test_with_a_display_the_demo_opens_the_window(project: Path):
    write_program(project / ".venv/bin/kpstudio", 'echo "$*" >seen')
    assert run(project, "demo", DISPLAY=":7").returncode == 0
    assert (project / "seen").read_text().strip() == "--demo"


@pytest.mark.parametrize("made", ["demo.mp4", "demo.png"])
def test_a_demo_that_wrote_only_half_fails(project: Path, made: str):
    for name in ("demo.mp4", "demo.png"):
        (project / name).write_text("of an earlier run")
    write_program(project / ".venv/bin/kpstudio", f"echo something >{made}")
    done = run(project, "demo")
    assert done.returncode == 1
    assert "the studio ended without writing demo." in done.stderr


def test_missing_system_libraries_are_named_with_the_command(project: Path):
    stubs = project.parent / "stubs"
    write_program(stubs / "ldd", "echo '  libxcb-cursor.so.0 => not found'; exit 1")
    done = run(project, "demo")
    assert done.returncode == 1
    assert "(libxcb-cursor.so.0)" in done.stderr
    assert "sudo apt-get install -y libegl1" in done.stderr
    assert not (project / ".venv/keypoint-studio.stamp").exists()


def test_an_old_python_is_refused_in_one_sentence(project: Path):
    shutil.rmtree(project / ".venv")
    for name in ("python3", "python3.13", "python3.12", "python3.11", "python"):
        write_program(
            project.parent / "stubs" / name,
            '[ "$1" = --version ] && echo Python 3.9.1 || exit 1',
        )
    done = run(project, "demo", PYTHON="")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; this machine's python3 is Python 3.9.1" in done.stderr
    assert not (project / ".venv").exists()


def test_the_tests_go_on_after_a_failed_stage_and_name_it(project: Path):
    python = project / ".venv/bin/python"
    write_program(
        python,
        f"""case "$*" in
*"ruff check"*) echo a lint error; exit 1 ;;
*pytest*) echo 3 passed; exit 0 ;;
*-m*) exit 0 ;;
esac
exec "{sys.executable}" "$@\"""",
    )
    done = run(project, "test")
    assert done.returncode == 1
    assert "3 passed" in done.stdout
    assert "Failed: lint; see above." in done.stderr
