from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.pictures import Picture
from kpstudio.session.session import Session
from kpstudio.session.view import Role
from kpstudio.ui.canvas.image_view import Canvas

POSITIONS = [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.0, 0.0)]
SIZE = (400, 400)


def grey(session: Session, role: Role, value: int = 100, **extras: np.ndarray) -> Picture:
    """Hand the session a flat picture of the present particles."""
    pixels = np.full((32, 32, 3), value, np.uint8)
    picture = Picture(pixels, session.revision, 0, base=session.revision, extras=extras or None)
    assert session.receive_picture(role, 1, 1, picture)
    return picture


def open_session(
    positions: list[tuple[float, float]],
    parents: tuple[int, ...] | None = None,
    **capabilities: object,
) -> Session:
    """Return a session with particles at the given places and a picture for every role."""
    count = len(positions)
    can = {"presence": "gate", "uncertainty": True, "glimpse_px": 8, **capabilities}
    session = Session()
    session.open_model(ModelInfo(1, "m", "m", "Fake", Capabilities((32, 32), count, **can)))
    session.open_media(MediaInfo(1, "v", "v", "video", 3))
    spread = torch.full((1, count, 2), 2 * math.log(0.05))
    latents = Latents(
        torch.tensor([positions]),
        replace(Topology.flat(count), parent=parents or (-1,) * count),
        position_log_var=spread,
        presence=torch.ones(1, count),
    )
    session.receive_encoding(1, 1, 0, Encoding(latents))
    for role in ("input", "reconstruction", "edited", "difference"):
        grey(session, role)
    return session


@pytest.fixture
def session() -> Session:
    return open_session(POSITIONS)


@pytest.fixture
def show(qtbot) -> Callable[[Session], Canvas]:
    def make(session: Session, role: Role = "edited") -> Canvas:
        canvas = Canvas(session, role)
        qtbot.addWidget(canvas)
        canvas.resize(*SIZE)
        canvas.show()
        qtbot.waitExposed(canvas)
        canvas.setFocus()
        return canvas

    return make


@pytest.fixture
def canvas(show, session: Session) -> Canvas:
    return show(session)
