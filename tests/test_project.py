"""The project's own promises: pins, resources, icons, and Qt bindings that keep their counts."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ICONS = sorted((ROOT / "resources" / "icons").glob("*.svg"))


def requirements() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"]
    lists = (PROJECT["project"]["dependencies"], *extras.values())
    return [Requirement(text) for one in lists for text in one]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# -- pins -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_every_dependency_is_pinned_within_its_range(requirement: Requirement):
    assert requirement.specifier.contains(pins()[plain(requirement.name)])


def test_pins_are_exact():
    assert all(re.fullmatch(r"\d[\w.]*", pin) for pin in pins().values())


def test_pyside_stays_below_the_release_that_drops_references():
    (requirement,) = [r for r in requirements() if r.name == "PySide6-Essentials"]
    assert not requirement.specifier.contains("6.12.0")
    assert requirement.specifier.contains("6.8.0")
    assert Version(version("PySide6-Essentials")) < Version("6.12")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="True is immortal from Python 3.12 on")
def test_signals_give_back_their_references(qapp):
    from PySide6.QtCore import QObject, QTimer, Signal

    class Source(QObject):
        moved = Signal(int)
        done = Signal()

    source, timer, seen = Source(), QTimer(), []
    source.moved.connect(seen.append)
    before = sys.getrefcount(True), sys.getrefcount(None)
    for number in range(3000):
        source.moved.emit(number)
        source.done.emit()
        timer.timeout.emit()
    assert len(seen) == 3000
    assert sys.getrefcount(True) > before[0] - 50
    assert sys.getrefcount(None) > before[1] - 50


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_painting_gives_back_its_references(qapp):
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QColor, QImage, QPainter

    picture = QImage(16, 16, QImage.Format.Format_RGB32)
    painter = QPainter(picture)
    before = sys.getrefcount(None)
    for _ in range(1000):
        painter.fillRect(QRectF(0, 0, 4, 4), QColor("white"))
        painter.drawLine(0, 0, 8, 8)
        painter.save()
        painter.restore()
    after = sys.getrefcount(None)
    painter.end()
    assert after > before - 50


# -- resources ------------------------------------------------------------------------------------
def test_the_wheel_carries_the_resources_inside_the_studio(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    pytest.importorskip("hatchling")
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    tracked = subprocess.run(
        ["git", "ls-files", "resources"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert {f"kpstudio/{name}" for name in tracked} <= names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {
        "kpcore",
        "kpstudio",
    }
    find = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from kpstudio.resource_files import resource_path\n"
        "sys.stdout.write(str(resource_path('icons/app.svg')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", find, str(tmp_path / "installed")],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert Path(found) == tmp_path / "installed" / "kpstudio" / "resources" / "icons" / "app.svg"


def test_resources_are_found_in_a_source_tree():
    from kpstudio.resource_files import resource_path

    assert resource_path("icons/undo.svg") == ROOT / "resources" / "icons" / "undo.svg"
    with pytest.raises(FileNotFoundError, match=r"no resource 'icons/absent\.svg'"):
        resource_path("icons/absent.svg")


@pytest.mark.parametrize("icon", ICONS, ids=lambda path: path.stem)
def test_icons_are_one_set(icon: Path):
    drawing = ElementTree.fromstring(icon.read_text(encoding="utf-8"))
    if icon.stem == "app":
        return
    wanted = {
        "viewBox": "0 0 24 24",
        "stroke": "currentColor",
        "stroke-width": "1.75",
        "fill": "none",
    }
    assert {key: drawing.get(key) for key in wanted} == wanted
    assert all(part.get("stroke-width") is None for part in drawing)


# -- files that people read -----------------------------------------------------------------------
def test_the_readme_names_commands_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for script in re.findall(r"scripts/[\w./]+", text):
        assert (ROOT / script.rstrip(".")).exists(), script
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / link).exists(), link


def test_the_changelog_knows_this_version():
    from kpcore import __version__

    assert PROJECT["project"]["version"] == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
