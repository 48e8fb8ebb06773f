"""`kp models`: what can be trained."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from tyro.conf import Positional

if TYPE_CHECKING:
    from kpcore.api import Family, KeypointModel


@dataclass(frozen=True, slots=True)
class Models:
    """List the model families and their presets; with a family, its configuration's fields.

    Attributes:
        family: Show this family's fields, for 'kp train --set', and what its presets change.
    """

    family: Positional[
        Annotated[str | None, tyro.conf.arg(metavar="[FAMILY]", help_behavior_hint="")]
    ] = None

    def run(self) -> int:
        """Print the table."""
        from kpcore import registry

        console = Console(highlight=False)
        if self.family is not None:
            _print_fields(registry.get(self.family), console)
            return 0
        whole = (Column(head, no_wrap=True) for head in ("family", "preset", "weights"))
        table = Table(*whole, "what")
        for name in registry.FAMILIES:
            family = registry.get(name)
            for index, (preset, value) in enumerate(family.presets.items()):
                shown = "" if index else name
                table.add_row(shown, preset, _weights(family, value.config), value.summary)
            table.add_section()
        console.print(table)
        return 0


def _weights(family: Family, config: Any) -> str:
    """Millions of weights, those of a trained model inside left out."""
    import torch

    from kpcore import registry

    with torch.device("meta"):
        inside = {role: _default(registry.get("dlp-object")) for role in family.needs}
        model = family.build(config, **inside)
    held = sum(weight.numel() for other in inside.values() for weight in other.parameters())
    own = sum(weight.numel() for weight in model.parameters()) - held
    return f"{own / 1e6:.2f} M" + "".join(f" + {role}" for role in family.needs)


def _default(family: Family) -> KeypointModel:
    return family.build(family.presets["default"].config)


def _print_fields(family: Family, console: Console) -> None:
    from docstring_parser import parse

    texts = {
        entry.arg_name: entry.description
        for kind in reversed(family.config.__mro__)
        for entry in parse(kind.__doc__ or "").params
    }
    console.print(f"{family.title}\n{family.paper}", markup=False, soft_wrap=True)
    default = family.presets["default"].config
    table = Table("field", "default", "meaning")
    for field in fields(default):
        meaning = " ".join((texts.get(field.name) or "").split())
        table.add_row(Text(field.name), Text(str(getattr(default, field.name))), Text(meaning))
    console.print(table)
    changes = Table("preset", "changes")
    for name, preset in family.presets.items():
        changed = (
            f"{field.name}={getattr(preset.config, field.name)}"
            for field in fields(default)
            if getattr(preset.config, field.name) != getattr(default, field.name)
        )
        if name != "default":
            changes.add_row(name, Text("  ".join(changed)))
    console.print(changes)
