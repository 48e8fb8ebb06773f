"""Figures of an evaluation as files: JSON for programs, Markdown for people, and a plot."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from kpcore import files
from kpcore.errors import DataError
from kpcore.evaluation.plot import Bars, Drawing, draw

Cell: TypeAlias = str | int | float | bool | None
Fact: TypeAlias = Cell | Sequence["Fact"] | Mapping[str, "Fact"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under named columns.

    Attributes:
        title: One line.
        columns: Their names.
        rows: Cells; None is shown as a dash.
        note: What the reader must know to read it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise DataError(
                    f"table '{self.title}' has {len(self.columns)} columns and a row of {len(row)}"
                )


@dataclass(frozen=True, slots=True)
class Report:
    """All that one evaluation says.

    Attributes:
        title: One line.
        facts: What was measured, on what, with which command; the headline figures.
        tables: In the order in which they are read.
        panels: Drawn one beside the other. Where there are none, the tables that have a name and
            a number in each row are drawn as bars (`drawings`).
        fitted: What was fitted on the way, for programs: in the JSON file alone.
    """

    title: str
    facts: Mapping[str, Fact]
    tables: tuple[Table, ...] = ()
    panels: tuple[Drawing, ...] = field(default=())
    fitted: Mapping[str, Fact] = field(default_factory=dict[str, Fact])

    def drawings(self) -> tuple[Drawing, ...]:
        """Return the panels, or bars of the tables of named numbers, those of one unit together.

        A row's unit is what stands in its name behind the last comma: "PSNR, dB".
        """
        return self.panels or tuple(bars for table in self.tables for bars in _named(table))

    def plain(self) -> dict[str, object]:
        """Return the report as JSON values; what is not finite becomes null."""
        return {
            "title": self.title,
            "facts": _finite(self.facts),
            "tables": [
                {
                    "title": table.title,
                    "note": table.note,
                    "columns": list(table.columns),
                    "rows": _finite(table.rows),
                }
                for table in self.tables
            ],
            **({"fitted": _finite(self.fitted)} if self.fitted else {}),
        }

    def markdown(self, picture: str = "") -> str:
        """Return the report as a Markdown page.

        Args:
            picture: File name of the plot; empty for none.
        """
        parts = [f"# {self.title}", "\n".join(_fact_lines(self.facts))]
        if picture:
            parts.append(f"![{self.title}]({picture})")
        for table in self.tables:
            parts += [f"## {table.title}", *([table.note] if table.note else []), _grid(table)]
        return "\n\n".join(part for part in parts if part) + "\n"


def write(report: Report, path: str | Path) -> tuple[Path, ...]:
    """Write `path` with the endings .json, .md and, where something can be drawn, .png.

    Returns the files written.

    Each file is written whole or not at all.

    Raises:
        DataError: The folder cannot be written.
    """
    stem = Path(path)
    if stem.suffix in (".json", ".md", ".png"):
        stem = stem.with_suffix("")
    picture, drawings = Path(f"{stem}.png"), report.drawings()
    contents = {
        Path(f"{stem}.json"): json.dumps(report.plain(), indent=1, allow_nan=False).encode(),
        Path(f"{stem}.md"): report.markdown(picture.name if drawings else "").encode(),
    }
    if drawings:
        contents[picture] = draw(drawings)
    for file, blob in contents.items():
        files.write_atomically(file, blob, DataError)
    return tuple(contents)


def shown(cell: Cell) -> str:
    """Return a cell as people read it: two decimals, or three significant digits when small."""
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.2f}" if abs(cell) >= 1 or cell == 0 else f"{cell:.3g}"
    return str(cell)


def bars(table: Table, column: str, *, title: str = "") -> Bars:
    """Return one column of a table as bars, named by the table's first.

    Args:
        table: Rows without a number in the column have no bar.
        column: Its name.
        title: Above the bars; empty takes the column's name.
    """
    at = table.columns.index(column)
    rows = [(str(row[0]), number) for row in table.rows if (number := _number(row[at])) is not None]
    names = tuple(name for name, _ in rows)
    return Bars(title or column, names, {column: [number for _, number in rows]})


def _named(table: Table) -> list[Bars]:
    units: dict[str, dict[str, float]] = {}
    for row in table.rows:
        number = _number(row[-1])
        if len(row) == 2 and isinstance(row[0], str) and number is not None:
            name, _, unit = row[0].rpartition(", ")
            units.setdefault(unit if name else table.columns[1], {})[name or unit] = number
    return [
        Bars(unit, tuple(named), {table.columns[1]: list(named.values())})
        for unit, named in units.items()
    ]


def _number(cell: Cell) -> float | None:
    if not isinstance(cell, int | float) or isinstance(cell, bool):
        return None
    return cell if math.isfinite(cell) else None


def _grid(table: Table) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns)]
    lines += [tuple(shown(cell) for cell in row) for row in table.rows]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _fact_lines(facts: Mapping[str, Fact], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for name, fact in facts.items():
        if isinstance(fact, Mapping):
            lines += _fact_lines(fact, f"{prefix}{name} ")
        elif isinstance(fact, str) or not isinstance(fact, Sequence):
            lines.append(f"- {prefix}{name}: {shown(fact)}")
        else:
            told = ", ".join(
                shown(one) if one is None or isinstance(one, str | int | float) else json.dumps(one)
                for one in fact
            )
            lines.append(f"- {prefix}{name}: {told}")
    return lines


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(one) for one in value]
    return value
