"""Several checkpoints judged alike, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kpcore.evaluation.report import Cell, Fact, Report, Table, bars


def compare(protocol: str, reports: Mapping[Path, Report], failures: Mapping[Path, str]) -> Report:
    """Return one table of the figures that the reports' facts hold, a row for each checkpoint.

    Figures in which checkpoints differ are drawn as bars.

    Args:
        protocol: By which they were judged.
        reports: Of each checkpoint.
        failures: Why a checkpoint could not be judged; it has a row without figures.
    """
    names = _names([*reports, *failures])
    figures = {path: _figures(report.facts) for path, report in reports.items()}
    columns = tuple(dict.fromkeys(name for told in figures.values() for name in told))
    rows: list[tuple[Cell, ...]] = [
        (
            names[path],
            str(report.facts.get("data", "")),
            *(figures[path].get(name) for name in columns),
        )
        for path, report in reports.items()
    ]
    rows += [(names[path], None, *(None for _ in columns)) for path in failures]
    notes = [next((report.tables[0].note for report in reports.values() if report.tables), "")]
    notes += [f"{names[path]}: {why}" for path, why in failures.items()]
    titles = tuple(name.replace("_", " ") for name in columns)
    table = Table(
        "Figures", ("checkpoint", "data", *titles), tuple(rows), " ".join(filter(None, notes))
    )
    return Report(
        f"{protocol.capitalize()} of {len(rows)} checkpoints",
        {
            "protocol": protocol,
            "checkpoints": {names[path]: report.facts for path, report in reports.items()},
            "failed": {names[path]: why for path, why in failures.items()},
        },
        (table,),
        tuple(
            bars(table, title)
            for name, title in zip(columns, titles, strict=True)
            if len({told[name] for told in figures.values() if name in told}) > 1
        ),
    )


def _names(paths: list[Path]) -> dict[Path, str]:
    """What tells the files apart: their names where those do, else their paths."""
    stems = [path.stem for path in paths]
    apart = len(set(stems)) == len(stems)
    return {path: path.stem if apart else str(path.with_suffix("")) for path in paths}


def _figures(facts: Mapping[str, Fact], prefix: str = "") -> dict[str, Cell]:
    """The facts that are numbers; those inside another are called by both names."""
    found: dict[str, Cell] = {}
    for name, fact in facts.items():
        if isinstance(fact, Mapping):
            found |= _figures(fact, f"{prefix}{name} ")
        elif isinstance(fact, int | float) and not isinstance(fact, bool):
            found[f"{prefix}{name}"] = fact
    return found
