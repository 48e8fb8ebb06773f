"""No exception dies silently: each goes to the log file and, in one sentence, to the user."""

from __future__ import annotations

import logging
import logging.handlers
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

from kpcore.errors import KpError
from kpstudio.ui.diagnostics import log_path

logger = logging.getLogger(__name__)

LOG_BYTES = 1_000_000

Hooks = tuple[Callable[..., object], Callable[..., object]]


def catch_exceptions(
    post: Callable[[Callable[[], None]], None], tell: Callable[[str, str], None]
) -> Hooks:
    """Write every uncaught exception to the log and tell the user; return the hooks before.

    Args:
        post: Runs a function on the UI thread.
        tell: Shows one sentence and its details.
    """
    before: Hooks = (sys.excepthook, threading.excepthook)

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        logger.error("uncaught: %s", details)
        sentence = str(error) if isinstance(error, KpError) else f"{kind.__name__}: {error}"
        text = f"Something went wrong, what is open is kept: {sentence}"
        post(partial(tell, text, details))

    def in_thread(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_value is not None:
            report(failure.exc_type, failure.exc_value, failure.exc_traceback)

    sys.excepthook = report
    threading.excepthook = in_thread
    return before


def log_qt(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    """Write what Qt says to the log; its warnings are not the user's business."""
    severe = kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg)
    logging.getLogger("qt").log(logging.ERROR if severe else logging.INFO, "%s", text)


def set_up_log() -> None:
    """Write warnings to standard error and everything from info on to the log file."""
    qInstallMessageHandler(log_qt)
    root = logging.getLogger()
    if any(isinstance(handler, logging.handlers.RotatingFileHandler) for handler in root.handlers):
        return
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    console.setFormatter(form)
    root.addHandler(console)
    root.setLevel(logging.INFO)
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        file = logging.handlers.RotatingFileHandler(
            log_path(), maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8", delay=True
        )
    except OSError as error:
        logger.warning("no log file is written: %s", error)
        return
    file.setFormatter(form)
    root.addHandler(file)
