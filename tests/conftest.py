"""What every test stands on: shape checks, offscreen Qt, one thread, and a home of its own."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["PYTEST_QT_API"] = "pyside6"
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"


def _install_shape_checks() -> None:
    """Check shape annotations of kpcore at run time; must run before kpcore is imported."""
    from jaxtyping import install_import_hook

    spec = importlib.util.spec_from_file_location(
        "shape_checking", Path(__file__).with_name("shape_checking.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shape_checking"] = module
    spec.loader.exec_module(module)
    install_import_hook("kpcore", "shape_checking.checked")


_install_shape_checks()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run; a missing GPU is the only common case."""
    for item in items:
        if item.get_closest_marker("cuda") and not _has_cuda():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
        if item.get_closest_marker("xvfb") and shutil.which("Xvfb") is None:
            item.add_marker(pytest.mark.skip(reason="Xvfb is not installed"))


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Keep settings, caches and saved sessions of the user out of the tests, and ours off disk."""
    home = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return home


@pytest.fixture(autouse=True)
def no_widget_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a Qt test that leaves a top-level widget alive."""
    if not {"qtbot", "qapp"} & set(request.fixturenames):
        yield
        return
    before = _top_level_widgets()
    yield
    gc.collect()
    left = _top_level_widgets() - before
    if left:
        names = ", ".join(sorted(left.values()))
        pytest.fail(f"this test left widgets alive: {names}; give them to qtbot.addWidget")


class _Widgets(dict[int, str]):
    """Top-level widgets by address, so that none is kept alive by looking."""

    def __sub__(self, other: _Widgets) -> dict[int, str]:
        return {key: name for key, name in self.items() if key not in other}


def _top_level_widgets() -> _Widgets:
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication
    from shiboken6 import getCppPointer

    if QApplication.instance() is None:
        return _Widgets()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return _Widgets(
        (getCppPointer(widget)[0], f"{type(widget).__name__} '{widget.windowTitle()}'")
        for widget in QApplication.topLevelWidgets()
        if widget.parent() is None
    )
