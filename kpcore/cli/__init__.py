"""The command line `kp`.

Commands are frozen dataclasses that tyro reads; each imports what is slow (torch) when it runs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

import kpcore
from kpcore.cli.change import Change
from kpcore.cli.encode import Encode
from kpcore.cli.evaluate import Evaluate
from kpcore.cli.importing import Import
from kpcore.cli.info import Info
from kpcore.cli.models import Models
from kpcore.cli.rollout import Rollout
from kpcore.cli.sample import Sample
from kpcore.cli.table import Table as PaperTable
from kpcore.cli.train import Train
from kpcore.errors import InputError, KpError, TrainingError, nearest

_DESCRIPTION = "Keypoint Studio: train, inspect and run unsupervised keypoint models."

_COMMANDS: dict[str, type[Any]] = {
    "train": Train,
    "models": Models,
    "info": Info,
    "encode": Encode,
    "eval": Evaluate,
    "table": PaperTable,
    "rollout": Rollout,
    "sample": Sample,
    "import": Import,
    "change": Change,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `kp` with `arguments` (None: those of the process); return its exit status.

    0 is success, 1 a run that failed, 2 a mistake in what was asked for or given, 130 and 143 a
    run that was stopped by Ctrl-C or SIGTERM.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        Console().print(f"kp {kpcore.__version__}", highlight=False)
        return 0
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"] or ["--help"]
    name = words.pop(0)
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s")
    try:
        if name in ("-h", "--help"):
            _help()
            return 0
        if name not in _COMMANDS:
            known = ", ".join(_COMMANDS)
            raise InputError(
                f"'kp {name}' is not a command; known: {known}.{nearest(name, _COMMANDS)}"
            )
        return tyro.cli(_COMMANDS[name], prog=f"kp {name}", args=words).run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except KpError as error:
        if debug:
            raise
        _complain(str(error))
        return 1 if isinstance(error, TrainingError) else 2
    except KeyboardInterrupt:
        _complain("stopped")
        return 130
    except Exception as error:
        if debug:
            raise
        _complain(
            f"unexpected {type(error).__name__}: {error}; add --debug to see where it happened"
        )
        return 1


def _help() -> None:
    console = Console(highlight=False)
    console.print(f"{_DESCRIPTION}\n")
    table = Table.grid("command", "purpose", padding=(0, 3, 0, 2))
    for name, command in _COMMANDS.items():
        table.add_row(f"[bold]kp {name}[/]", (command.__doc__ or "").split("\n", 1)[0])
    console.print(table)
    console.print(
        "\n'kp COMMAND --help' explains a command; --debug with any of them shows where an error "
        "happened; 'kp --version' tells the version."
    )


def _complain(message: str) -> None:
    console = Console(stderr=True, soft_wrap=True)
    console.print("error: ", style="bold red", end="")
    console.print(message, markup=False, highlight=False)
