"""`kp models`: what can be trained."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

if TYPE_CHECKING:
    from kpcore.api import Family


@dataclass(frozen=True, slots=True)
class Models:
    """List the model families and their presets; with a family, its configuration's fields.

    Attributes:
        family: Show this family's fields, one per line, for 'kp train --set'.
    """

    family: Positional[Annotated[str | None, tyro.conf.arg(metavar="[FAMILY]")]] = None

    def run(self) -> int:
        """Print the table."""
        from kpcore import registry

        console = Console(highlight=False)
        if self.family is not None:
            _print_fields(registry.get(self.family), console)
            return 0
        table = Table("family", "preset", "weights", "what")
        for name in registry.FAMILIES:
            family = registry.get(name)
            for index, (preset, value) in enumerate(family.presets.items()):
                shown = "" if index else name
                table.add_row(shown, preset, _weights(family, value.config), value.summary)
            table.add_section()
        console.print(table)
        return 0


def _weights(family: Family, config: Any) -> str:
    import torch

    with torch.device("meta"):
        model = family.build(config)
    return f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M"


def _print_fields(family: Family, console: Console) -> None:
    from docstring_parser import parse

    texts = {
        entry.arg_name: entry.description for entry in parse(family.config.__doc__ or "").params
    }
    console.print(f"{family.title}\n{family.paper}", markup=False, soft_wrap=True)
    table = Table("field", "default", *(n for n in family.presets if n != "default"), "meaning")
    presets = [family.presets["default"], *(p for n, p in family.presets.items() if n != "default")]
    for field in fields(family.config):
        values = [getattr(preset.config, field.name) for preset in presets]
        rest = ["" if value == values[0] else str(value) for value in values[1:]]
        meaning = texts.get(field.name) or ""
        table.add_row(field.name, str(values[0]), *rest, " ".join(meaning.split()))
    console.print(table)
