"""The command line `kp`: train, models, info, encode, import.

Commands are frozen dataclasses that tyro reads; each imports what is slow (torch) when it runs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro
from rich.console import Console

import kpcore
from kpcore.cli.encode import Encode
from kpcore.cli.importing import Import
from kpcore.cli.info import Info
from kpcore.cli.models import Models
from kpcore.cli.train import Train
from kpcore.errors import KpError, TrainingError

_DESCRIPTION = "Keypoint Studio: train, inspect and run unsupervised keypoint models."

Command = Annotated[
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Models, tyro.conf.subcommand("models")]
    | Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Encode, tyro.conf.subcommand("encode")]
    | Annotated[Import, tyro.conf.subcommand("import")],
    tyro.conf.OmitArgPrefixes,
    tyro.conf.OmitSubcommandPrefixes,
]


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
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s")
    try:
        command = tyro.cli(Command, prog="kp", description=_DESCRIPTION, args=words)  # type: ignore[call-overload]
        return command.run()
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


def _complain(message: str) -> None:
    console = Console(stderr=True, soft_wrap=True)
    console.print("error: ", style="bold red", end="")
    console.print(message, markup=False, highlight=False)
