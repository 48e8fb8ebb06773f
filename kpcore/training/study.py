"""A table of a paper: every row is trained alike and judged alike; ours beside the paper's figure.

What is done already is not done again: a row that is trained is only judged, one that was
interrupted goes on from its last checkpoint, and figures are kept beside the weights they are of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from kpcore import checkpoint, files
from kpcore.configuration import override
from kpcore.errors import DataError, InputError, KpError, nearest
from kpcore.evaluation import protocols
from kpcore.evaluation.plot import Panel
from kpcore.evaluation.report import Cell, Report, Table
from kpcore.training import launch
from kpcore.training.config import DataChoice, Precision, TrainRequest
from kpcore.training.events import Finished, Validation, read_events
from kpcore.training.trainer import Trainer

Size = Literal["small", "paper"]
"""Narrow networks and short schedules for a CPU, or the paper's own."""
_EVENTS, _WEIGHTS, _FIGURES = "events.jsonl", "model.safetensors", "figures.json"
_MOST_PANELS = 3


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of every row.

    Attributes:
        title: Above it.
        protocol: Of `kp eval`.
        fact: Of its report; "a.b" is entry b of fact a.
    """

    title: str
    protocol: str
    fact: str


@dataclass(frozen=True, slots=True)
class Row:
    """One model.

    Attributes:
        name: Of its run directory.
        family: Registry name.
        presets: Of that family, for each size.
        overrides: "field=value" changes that make the row what it is.
        facts: Column title -> fact, where a row has only some of the columns, or other facts there;
            empty where it has all of them as they are.
        paper: Column title -> the paper's figure.
    """

    name: str
    family: str
    presets: Mapping[Size, str]
    overrides: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    paper: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Schedule:
    """How all rows of a size are trained and judged.

    Attributes:
        steps: Of the whole run, at scale 1.
        data: To learn from and to be judged on; empty where it must be named.
        pool: Procedural pictures made at once; 0 makes new ones endlessly.
        batch: Images per step; None takes the preset's.
        overrides: "field=value" changes of all rows.
        options: "option=value" of each protocol.
    """

    steps: int
    data: str = ""
    pool: int = 0
    batch: int | None = None
    overrides: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Study:
    """A table.

    Attributes:
        title: One line.
        source: Paper and table.
        columns: What is measured.
        rows: What is trained.
        schedules: Of each size.
        note: What the reader must know of the paper's figures.
    """

    title: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    schedules: Mapping[Size, Schedule]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """How a study is run.

    Attributes:
        size: Of networks and schedule.
        scale: Factor on the steps of all runs that are begun.
        only: Names of the rows to train; empty trains all. All that are trained are in the table.
        data: Instead of the schedule's; empty for that.
        train: Train what is missing; False only judges what is trained.
        seed: Of weights, data order and noise.
        device: cpu, cuda, cuda:N, mps or auto.
        precision: auto takes bf16 on CUDA hardware that has it.
        threads: CPU threads.
    """

    size: Size = "small"
    scale: float = 1.0
    only: tuple[str, ...] = ()
    data: str = ""
    train: bool = True
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        if not self.scale > 0.0:
            raise InputError(f"scale is {self.scale:g}; use a number above 0")


def conduct(
    study: Study, folder: Path, choices: Choices, tell: Callable[[str], None]
) -> tuple[Report, bool]:
    """Train and judge the rows; return the table, and whether every row asked for is in it.

    A row that fails is told, and the others go on.

    Args:
        study: The table.
        folder: Holds a run directory for each row.
        choices: How.
        tell: Told what is being done.

    Raises:
        InputError: No such row, or data must be named.
        KeyboardInterrupt: Training was stopped; it goes on when the study is run again.
    """
    schedule = _settled(study, choices)
    wanted = [row for row in study.rows if not choices.only or row.name in choices.only]
    failed: set[str] = set()
    if choices.train:
        for row in wanted:
            try:
                _train(row, folder / row.name, schedule, choices, tell)
            except KpError as error:
                tell(f"{row.name}: {error}")
                failed.add(row.name)
    judged: list[tuple[Row, dict[str, Any]]] = []
    for row in study.rows:
        if (folder / row.name / _WEIGHTS).exists():
            try:
                judged.append((row, _judge(study, row, folder / row.name, schedule, choices, tell)))
            except KpError as error:
                tell(f"{row.name}: {error}")
                failed.add(row.name)
    there = {row.name for row, _ in judged}
    whole = not failed and all(row.name in there for row in wanted)
    return _report(study, folder, judged, choices, schedule.data), whole


def _settled(study: Study, choices: Choices) -> Schedule:
    names = [row.name for row in study.rows]
    for name in choices.only:
        if name not in names:
            raise InputError(
                f"the table has no row '{name}'; known: {', '.join(names)}.{nearest(name, names)}"
            )
    schedule = study.schedules[choices.size]
    data = choices.data or schedule.data
    if not data:
        raise InputError(
            f"the rows of size '{choices.size}' are trained on a data set that is not part of the "
            f"studio ({study.source}); name it with --data"
        )
    return replace(schedule, data=data)


def _train(
    row: Row, folder: Path, schedule: Schedule, choices: Choices, tell: Callable[[str], None]
) -> None:
    if (folder / _WEIGHTS).exists():
        return
    if (folder / "config.json").exists():
        tell(f"{row.name}: going on")
        job = launch.resume(folder, threads=choices.threads)
    else:
        tell(f"{row.name}: training")
        job = launch.start(_request(row, schedule, choices), folder)
    steps = job.record.optimisation.steps
    cadence = replace(
        job.record.cadence,
        snapshot=max(1, steps // 4),
        checkpoint=max(1, steps // 8),
        validate=max(1, steps // 8),
    )
    end = Trainer(replace(job, record=replace(job.record, cadence=cadence))).fit()
    if not isinstance(end, Finished):
        raise KeyboardInterrupt


def _request(row: Row, schedule: Schedule, choices: Choices) -> TrainRequest:
    preset, overrides = row.presets[choices.size], (*schedule.overrides, *row.overrides)
    steps = max(1, round(schedule.steps * choices.scale))
    words = ["kp", "train", row.family, "--data", schedule.data, "--preset", preset]
    words += ["--steps", str(steps), "--seed", str(choices.seed)]
    words += ["--batch", str(schedule.batch)] if schedule.batch else []
    words += ["--pool", str(schedule.pool)] if schedule.pool else []
    words += ["--precision", choices.precision, "--threads", str(choices.threads)]
    words += [word for change in overrides for word in ("--set", change)]
    return TrainRequest(
        family=row.family,
        data=DataChoice(schedule.data, pool=schedule.pool),
        preset=preset,
        steps=steps,
        batch=schedule.batch,
        seed=choices.seed,
        device=choices.device,
        precision=choices.precision,
        threads=choices.threads,
        overrides=overrides,
        command=tuple(words),
    )


def _judge(
    study: Study,
    row: Row,
    folder: Path,
    schedule: Schedule,
    choices: Choices,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """The facts of every protocol, of this row's weights; measured where they are not kept yet."""
    model = checkpoint.load(folder / _WEIGHTS, choices.device)
    manifest = model.manifest
    card = manifest.card if manifest else {}
    known = _kept(folder / _FIGURES)
    for name in dict.fromkeys(column.protocol for column in study.columns):
        options = schedule.options.get(name, ())
        asked = {
            "step": manifest.step if manifest else 0,
            "data": schedule.data,
            "options": list(options),
        }
        if known.get(name, {}).get("asked") == asked:
            continue
        tell(f"{row.name}: {name}")
        protocol = protocols.get(name)
        trained_on = manifest.data if manifest else {}
        subject = protocols.Subject(model, folder / _WEIGHTS, schedule.data, trained_on)
        report = protocol.run(subject, override(protocol.options(), options))
        known[name] = {"asked": asked, "facts": report.plain()["facts"]}
        blob = json.dumps(known, indent=1, allow_nan=False).encode()
        files.write_atomically(folder / _FIGURES, blob, DataError)
    facts = {name: entry["facts"] for name, entry in known.items()}
    return {
        **{name: facts[name] for name in facts},
        "run": {
            "steps": manifest.step if manifest else None,
            "minutes": round(float(cast("float", card.get("seconds", 0.0))) / 60.0, 1) or None,
        },
    }


def _kept(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _cell(row: Row, column: Column, facts: Mapping[str, Any]) -> Cell:
    """Ours; None where the row has no such figure."""
    path = row.facts.get(column.title) if row.facts else column.fact
    value: Any = facts.get(column.protocol, {})
    for part in path.split(".") if path else ():
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if path and isinstance(value, int | float) else None


def _report(
    study: Study,
    folder: Path,
    judged: Sequence[tuple[Row, dict[str, Any]]],
    choices: Choices,
    data: str,
) -> Report:
    cells: list[tuple[Cell, ...]] = []
    for number, (row, facts) in enumerate(judged, 1):
        pairs: list[Cell] = []
        for column in study.columns:
            pairs += [_cell(row, column, facts), row.paper.get(column.title)]
        run = facts["run"]
        cells.append((number, row.name, *pairs, run["steps"], run["minutes"]))
    heads = [head for c in study.columns for head in (c.title, f"{c.title}, paper")]
    told = [
        place for place in range(len(heads)) if any(line[2 + place] is not None for line in cells)
    ]
    table = Table(
        "Ours beside the paper's",
        ("", "row", *(heads[place] for place in told), "steps", "minutes"),
        tuple((*line[:2], *(line[2 + place] for place in told), *line[-2:]) for line in cells),
        f"{study.note} The paper's figures are of its own data and full schedule.".strip(),
    )
    return Report(
        f"{study.title} ({study.source})",
        {"data": data, "size": choices.size},
        (table,),
        tuple(_panels(study, folder, judged)),
    )


def _panels(
    study: Study, folder: Path, judged: Sequence[tuple[Row, dict[str, Any]]]
) -> list[Panel]:
    """How the rows learned, and the first columns against the number of the row."""
    curves: dict[str, list[float]] = {}
    for row, _ in judged:
        told, _ = read_events(folder / row.name / _EVENTS)
        curves[row.name] = [event.psnr_db for event in told if isinstance(event, Validation)]
    panels = [Panel("Held-out PSNR, dB", "validation", curves)]
    missing = float("nan")
    for column in study.columns[:_MOST_PANELS]:
        ours = [_cell(row, column, facts) for row, facts in judged]
        lines = {
            "ours": [missing if v is None else float(v) for v in ours],
            "paper": [row.paper.get(column.title, missing) for row, _ in judged],
        }
        panels.append(Panel(column.title, "row of the table", lines, frozenset({"paper"})))
    return panels
