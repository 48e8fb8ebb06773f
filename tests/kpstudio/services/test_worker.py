"""The thread that touches the model, at its end."""

from __future__ import annotations

import logging
import threading

import pytest

from kpstudio.services.worker import Worker


def _raise_after(release: threading.Event, began: threading.Event) -> None:
    began.set()
    release.wait(10.0)
    raise ImportError("cannot import name 'x': the interpreter shuts down")


@pytest.mark.parametrize("closes_first", [True, False])
def test_a_task_that_the_end_cuts_off_is_not_told(
    closes_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    told = threading.Event()
    worker = Worker(
        ("warm",),
        lambda run: run(),
        lambda: None,
        lambda *_: told.set(),
        lambda *_: None,
    )
    release, began = threading.Event(), threading.Event()
    with caplog.at_level(logging.INFO):
        worker.put("warm", lambda: _raise_after(release, began))
        assert began.wait(10.0)
        if closes_first:
            worker.close(0.0)
            release.set()
            worker.close(10.0)
        else:
            release.set()
            assert told.wait(10.0)
            worker.close(10.0)
    assert told.is_set() is not closes_first
    assert bool(caplog.records) is not closes_first
