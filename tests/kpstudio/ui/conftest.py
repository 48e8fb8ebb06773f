from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpstudio.services.engine import Engine
from kpstudio.services.settings import SettingsStore
from kpstudio.services.thumbnails import Thumbnails
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.pictures import Picture
from kpstudio.session.session import Session
from kpstudio.session.view import ROLES

COUNT = 5
FULL = {
    "presence": "gate", "uncertainty": True, "glimpse_px": 8, "layers": True, "features": 3,
}  # fmt: skip


def encoding(count: int = COUNT, **capabilities: object) -> Encoding:
    """Particles on a line, each less sure than the one before."""
    can = {**FULL, **capabilities}
    spread = torch.linspace(-8.0, -4.0, count).view(1, count, 1).repeat(1, 1, 2)
    positions = torch.stack([torch.linspace(-0.8, 0.8, count), torch.zeros(count)], -1)
    return Encoding(
        Latents(
            positions[None],
            Topology.flat(count),
            position_log_var=spread if can["uncertainty"] else None,
            feature=torch.arange(count * 3.0).view(1, count, 3) / 10 if can["features"] else None,
            presence=None if can["presence"] == "none" else torch.ones(1, count),
        )
    )


def open_document(session: Session, frames: int = 1, **capabilities: object) -> None:
    """Open a model and media that only this test knows, with a picture on every canvas."""
    can = Capabilities((32, 32), COUNT, **{**FULL, **capabilities})  # type: ignore[arg-type]
    session.open_model(ModelInfo(1, "/nowhere/toy.safetensors", "toy", "Toy", can, step=1200))
    kind = "video" if frames > 1 else "image"
    session.open_media(MediaInfo(1, "/nowhere/scene.png", "scene.png", kind, frames, 25.0))
    session.receive_encoding(1, 1, 0, encoding(**capabilities))
    show_pictures(session)


def show_pictures(session: Session) -> None:
    glimpses = np.full((COUNT, 8, 8, 4), 200, np.uint8)
    for role in ROLES:
        pixels = np.full((32, 32, 3), 90, np.uint8)
        extras = {"glimpses": glimpses} if role == "edited" else None
        picture = Picture(
            pixels, session.revision, session.view.frame, base=session.revision, extras=extras
        )
        session.receive_picture(role, 1, 1, picture)


class Posted(list[Callable[[], None]]):
    """A post that a test runs when it likes."""

    def __call__(self, function: Callable[[], None]) -> None:
        self.append(function)

    def run(self) -> None:
        while self:
            self.pop(0)()


@pytest.fixture
def posted() -> Posted:
    return Posted()


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def engine(session: Session, posted: Posted) -> Iterator[Engine]:
    made = Engine(session, posted)
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> SettingsStore:
    return SettingsStore(tmp_path / "settings.json")


@pytest.fixture
def thumbnails(posted: Posted) -> Iterator[Thumbnails]:
    made = Thumbnails(posted)
    yield made
    made.close()


@pytest.fixture
def theme(qapp):
    from kpstudio.ui.theme import Theme

    made = Theme(qapp, "dark")
    yield made
    qapp.setStyleSheet("")
    made.setParent(None)
    made.deleteLater()


@pytest.fixture
def make_window(qtbot, session, engine, settings, thumbnails, posted, theme):
    from kpstudio.ui.main_window import MainWindow
    from kpstudio.ui.studio import Studio

    def make() -> MainWindow:
        window = MainWindow(Studio(session, engine, settings, thumbnails, posted), theme)
        window.files.ask_unsaved = lambda: "discard"
        qtbot.addWidget(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    return make


@pytest.fixture
def window(make_window):
    return make_window()
