from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from PySide6.QtTest import QTest

from kpstudio.services.engine import Engine
from tests.kpstudio.predictor import Constant, PredictorHost, clip


@pytest.fixture
def model() -> Constant:
    return Constant()


@pytest.fixture
def media():
    return clip()


@pytest.fixture
def engine(session, posted, model, media):
    made = Engine(session, posted, PredictorHost(model, media))
    yield made
    model.gate.set()
    made.close()


@pytest.fixture
def wait(posted) -> Callable[..., None]:
    """Run the window and what the worker posts until something holds."""

    def wait(until: Callable[[], object], limit_s: float = 30.0) -> None:
        end = time.monotonic() + limit_s
        while not until():
            assert time.monotonic() < end, "waited in vain"
            posted.run()
            QTest.qWait(5)

    return wait


@pytest.fixture
def studio(window, session, engine, wait):
    """The window with a predictor and a clip open, at frame 5."""
    host = engine._host
    window.resize(1300, 850)
    session.open_model(host.model_info)
    session.open_media(host.media_info)
    for frame in (3, 4):
        session.update_view(frame=frame)
        wait(lambda frame=frame: session.document.encoded.get(frame) is not None)
    yield window
    window.close()
