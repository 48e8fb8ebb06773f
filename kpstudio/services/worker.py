"""The one thread that touches the model: runs the most urgent task, survives every fault."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TypeAlias

from kpcore.errors import DeviceError, KpError
from kpstudio.services.mailbox import Mailbox

logger = logging.getLogger(__name__)

Post: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs a function on the UI thread, soon."""

Task: TypeAlias = Callable[[], None]


class Worker:
    """Runs tasks from a latest-wins mailbox; their answers go to the UI thread by `post`."""

    def __init__(
        self,
        kinds: Sequence[str],
        post: Post,
        fall_back: Callable[[], str | None],
        complain: Callable[[str, str], None],
        warn: Callable[[str, str], None],
    ) -> None:
        """Start the thread, which sleeps until there is a task.

        Args:
            kinds: Of tasks, most urgent first.
            post: Runs a function on the UI thread.
            fall_back: Called in the thread when a device is out of memory: moves the model to the
                CPU and returns what it left, or None when it was there already.
            complain: Called on the UI thread with a sentence and details when a task failed.
            warn: Likewise, when the model had to move.
        """
        self._mailbox: Mailbox[Task] = Mailbox(kinds)
        self._post_to_ui = post
        self._fall_back = fall_back
        self._complain = complain
        self._warn = warn
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is done any more."""
        return self._mailbox.is_closed

    def put(self, kind: str, task: Task) -> None:
        """Ask for a task in place of one of its kind that was not begun."""
        self._mailbox.put(kind, task)

    def discard(self, kind: str) -> None:
        """Take a task back that was not begun."""
        self._mailbox.discard(kind)

    def is_waiting(self, kind: str) -> bool:
        """Return whether a task as urgent as `kind` or more waits, or everything is closed."""
        return self._mailbox.is_waiting(kind)

    def rests(self, kind: str, seconds: float) -> bool:
        """Wait, in the thread; return whether no task as urgent as `kind` or more came."""
        return self._mailbox.rests(kind, seconds)

    def post(self, function: Callable[..., object], *arguments: object) -> None:
        """Have the UI thread call a function, unless it is closed by then."""

        def run() -> None:
            if not self.is_closed:
                function(*arguments)

        if not self.is_closed:
            self._post_to_ui(run)

    def close(self, timeout_s: float) -> None:
        """Stop; waits for the task under way, but no longer than `timeout_s`."""
        self._mailbox.close()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (task := self._mailbox.take()) is not None:
            try:
                self._run(task)
            except KpError as error:
                text = str(error)
                self.post(self._complain, text[:1].upper() + text[1:], "")
            except Exception as error:
                if self.is_closed:  # e.g. an import that the end of the program cut off
                    logger.debug("a task was cut off", exc_info=True)
                    return
                logger.exception("a task failed")
                text = f"That did not work: {type(error).__name__}: {error}"
                self.post(self._complain, text, traceback.format_exc())

    def _run(self, task: Task) -> None:
        """Run a task; once more on the CPU when the device is out of memory."""
        try:
            task()
        except MemoryError as error:
            raise _out_of_memory() from error
        except RuntimeError as error:
            if "out of memory" not in str(error) and "not enough memory" not in str(error):
                raise
            left = self._fall_back()
            if left is None:
                raise _out_of_memory() from error
            text = f"{left} is out of memory, so the model now runs on the CPU"
            self.post(self._warn, text, str(error))
            task()


def _out_of_memory() -> DeviceError:
    return DeviceError(
        "this computer is out of memory; close other programs or open a smaller model"
    )
