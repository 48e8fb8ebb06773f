"""`kp table`: train and judge the rows of a paper's table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid
from rich.text import Text
from tyro.conf import Positional, UseAppendAction

from kpcore.cli.evaluate import print_report
from kpcore.errors import InputError, nearest
from kpcore.training.config import Precision


def _arg(metavar: str, default: str | None = None) -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=default)


@dataclass(frozen=True, slots=True)
class Table:
    """Train and judge the rows of a paper's table, ours beside the paper's; without one, list them.

    - kp table tusk-clustering --scale 0.2
    - kp table dlp --only ssm-chamfer --only ssm-standard
    - kp table dlp --size paper --data celeba:/data/celeba --device cuda
    - kp table pyramids --judge-only

    Rows that are trained already are only judged, and one that was stopped goes on. The table is
    written as OUT/table.json, .md and .png.

    Attributes:
        name: Which table.
        size: Networks and schedule: small ones for a CPU, or the paper's.
        scale: Factor on the steps of the runs that are begun.
        only: Train this row only; may be repeated. The table holds all rows that are trained.
        data: What to learn from and judge on, as for 'kp train'.
        judge_only: Train nothing.
        out: Folder of the runs.
        seed: Of weights, data order and noise.
        device: cpu, cuda, cuda:N, mps or auto.
        precision: auto takes bf16 on CUDA hardware that has it.
        threads: CPU threads.
    """

    name: Positional[Annotated[str | None, _arg("[TABLE]", "")]] = None
    size: Literal["small", "paper"] = "small"
    scale: Annotated[float, _arg("FACTOR")] = 1.0
    only: UseAppendAction[Annotated[tuple[str, ...], _arg("ROW")]] = ()
    data: Annotated[str, _arg("SPEC", "(default: the table's)")] = ""
    judge_only: bool = False
    out: Annotated[Path | None, _arg("FOLDER", "(default: runs/TABLE-table)")] = None
    seed: Annotated[int, _arg("N")] = 0
    device: str = "auto"
    precision: Precision = "auto"
    threads: Annotated[int, _arg("N", "(default: all cores)")] = 0

    def run(self) -> int:
        """Train, judge, write and print; 1 where a row is missing."""
        from kpcore.evaluation.report import write
        from kpcore.training.study import Choices, conduct
        from kpcore.training.tables import TABLES

        console = Console(highlight=False, soft_wrap=True)
        if self.name is None:
            grid = Grid(
                Column("table", no_wrap=True), "paper", "what", Column("rows", no_wrap=True)
            )
            for name, study in TABLES.items():
                rows = "\n".join(row.name for row in study.rows)
                grid.add_row(*map(Text, (name, study.source, study.title, rows)))
            console.print(grid)
            return 0
        if self.name not in TABLES:
            raise InputError(
                f"unknown table '{self.name}'; known: {', '.join(TABLES)}."
                f"{nearest(self.name, TABLES)}"
            )
        folder = self.out or Path("runs") / f"{self.name}-table"
        choices = Choices(
            self.size,
            self.scale,
            self.only,
            self.data,
            not self.judge_only,
            self.seed,
            self.device,
            self.precision,
            self.threads,
        )

        def tell(message: str) -> None:
            console.print(message, markup=False)

        report, whole = conduct(TABLES[self.name], folder, choices, tell)
        print_report(report, console)
        names = ", ".join(str(path) for path in write(report, folder / "table"))
        console.print(f"written: {names}", markup=False)
        return 0 if whole else 1
