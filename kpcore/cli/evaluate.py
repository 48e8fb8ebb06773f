"""`kp eval`: judge a checkpoint by a protocol."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from tyro.conf import Positional, UseAppendAction

from kpcore import checkpoint
from kpcore.errors import InputError, KpError

if TYPE_CHECKING:
    from kpcore.evaluation.report import Report


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Judge checkpoints by a protocol and write the report; without any, list the protocols.

    - kp eval dlp_gcn.safetensors --protocol prediction --data traffic -o report
    - kp eval demo.safetensors --protocol objects --set scenes=64
    - kp eval dlp_gcn.safetensors --set baseline=keynet_rnn.safetensors --set futures=16
    - kp eval lmdis.safetensors --protocol landmarks --data celeba:/data/celeba
    - kp eval lavae.safetensors --protocol counting --data multi-mnist-1k:/data/mnist
    - kp eval models/*.safetensors --protocol locality -o locality

    Several checkpoints become one table, a row each; one that cannot be judged is told in its note.

    Attributes:
        checkpoints: .safetensors files written by 'kp train' or 'kp import'.
        protocol: How to judge; 'kp eval' lists them.
        data: Video, folder of them, procedural scenes by name, or NAME:FOLDER of a public data set
            (celeba, human36m, ...) or of MNIST (mnist, mnist-hard, ...), as the protocol takes
            them. Of the data that the checkpoint was trained on, only what was held out is used.
        set: Change an option of the protocol, OPTION=VALUE; may be repeated.
        out: Report to write: .json, .md and, where there are curves, .png are added.
        device: cpu, cuda, cuda:N, mps or auto.
    """

    checkpoints: Positional[
        Annotated[
            tuple[Path, ...], tyro.conf.arg(metavar="[CHECKPOINT ...]", help_behavior_hint="")
        ]
    ] = ()
    protocol: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="NAME",
            help_behavior_hint="(default: prediction of what predicts, else locality)",
        ),
    ] = None
    data: Annotated[
        str | None, tyro.conf.arg(metavar="SPEC", help_behavior_hint="(default: as trained on)")
    ] = None
    set: UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="OPTION=VALUE")]] = ()
    out: Annotated[
        Path | None,
        tyro.conf.arg(
            aliases=["-o"], metavar="OUT", help_behavior_hint="(default: only print a summary)"
        ),
    ] = None
    device: str = "auto"

    def run(self) -> int:
        """Judge, write, and print the headline table; 1 where one of several was not judged."""
        from kpcore.evaluation import protocols
        from kpcore.evaluation.comparison import compare
        from kpcore.evaluation.report import write

        console = Console(highlight=False, soft_wrap=True)
        if not self.checkpoints:
            _print_protocols(console)
            return 0
        name = self.protocol or _usual(self.checkpoints[0])
        protocols.get(name)
        failures: dict[Path, str] = {}
        if len(self.checkpoints) == 1:
            report = self._judge(self.checkpoints[0], name)
        else:
            reports: dict[Path, Report] = {}
            for path in self.checkpoints:
                try:
                    reports[path] = self._judge(path, name)
                except KpError as error:
                    failures[path] = str(error)
            report = compare(name, reports, failures)
        print_report(report, console)
        if self.out is not None:
            names = ", ".join(str(path) for path in write(report, self.out))
            console.print(f"written: {names}", markup=False)
        return 1 if failures else 0

    def _judge(self, path: Path, name: str) -> Report:
        from kpcore.configuration import override
        from kpcore.evaluation import protocols

        protocol = protocols.get(name)
        options = override(protocol.options(), self.set)
        model = checkpoint.load(path, self.device)
        trained_on = model.manifest.data if model.manifest else {}
        data = self.data or str(trained_on.get("source") or "")
        if not data:
            raise InputError(
                f"'{path.name}' does not say what it was trained on; name data to judge it on with "
                f"--data"
            )
        subject = protocols.Subject(model, path, data, dict(trained_on))
        with Console(stderr=True).status(f"{name}: measuring {path.name} on {data}"):
            return protocol.run(subject, options)


def _usual(path: Path) -> str:
    """Return the protocol of a checkpoint for which none is named."""
    return "prediction" if checkpoint.load(path).capabilities.video_history else "locality"


def _print_protocols(console: Console) -> None:
    from docstring_parser import parse

    from kpcore.evaluation import protocols

    for name in protocols.PROTOCOLS:
        protocol = protocols.get(name)
        texts = {
            entry.arg_name: entry.description
            for entry in parse(protocol.options.__doc__ or "").params
        }
        table = Table("option", "default", "meaning", title=f"{name}: {protocol.summary}")
        for field in fields(protocol.options):
            meaning = " ".join((texts.get(field.name) or "").split())
            table.add_row(Text(field.name), Text(str(field.default)), Text(meaning))
        console.print(table)


_ACROSS = 7
"""Columns that a terminal of usual width holds."""


def print_report(report: Report, console: Console) -> None:
    """Print the headline facts and the first table."""
    from kpcore.evaluation.report import shown

    console.print(Text(report.title, style="bold"))
    for name, fact in report.facts.items():
        if fact is None or isinstance(fact, str | int | float):
            console.print(f"{name.replace('_', ' ')}: {shown(fact)}", markup=False)
    first, *_ = report.tables
    columns, rows = first.columns, [[shown(cell) for cell in row] for row in first.rows]
    if len(columns) > _ACROSS and len(rows) < len(columns):
        # too wide for a terminal: figures go down, and what is compared goes across
        columns, *rows = zip(columns, *rows, strict=True)
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    if first.note:
        console.print(Text(first.note))
