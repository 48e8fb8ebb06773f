#!/usr/bin/env python
"""Turn a training run into a shipped checkpoint with a card, judged as it is stored.

Stores the weights in half precision, judges the stored file by a protocol of 'kp eval', and writes
the facts of the run and the figures into the checkpoint and into a card beside it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from ship_demo import run_facts

from kpcore import checkpoint
from kpcore.configuration import from_plain, override
from kpcore.evaluation import protocols
from kpcore.evaluation.report import Report, shown
from kpcore.registry import get
from kpcore.training.config import RunRecord

SHIPPED = Path(__file__).parents[1] / "resources" / "checkpoints"


def main() -> None:
    """Store, judge, describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run directory of 'kp train'")
    parser.add_argument("name", help="of the checkpoint, without ending")
    parser.add_argument("--protocol", nargs="+", default=["locality"], help="see 'kp eval'")
    parser.add_argument("--also-on", nargs="*", default=[], metavar="SPEC", help="further data")
    parser.add_argument("--checkpoint", type=Path, help="default: RUN/model.safetensors")
    parser.add_argument("--set", nargs="*", default=[], help="OPTION=VALUE of the protocols")
    parser.add_argument("--about", default="", help="a sentence for the card")
    parser.add_argument(
        "--material", default="nothing but drawn scenes went in", help="what was learned from"
    )
    parser.add_argument("--folder", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    run: Path = arguments.run
    record = from_plain(RunRecord, json.loads((run / "config.json").read_text()))
    model = checkpoint.load(arguments.checkpoint or run / "model.safetensors")
    assert model.manifest is not None
    facts = run_facts(record, run, model.manifest.step)
    path = arguments.folder / f"{arguments.name}.safetensors"
    checkpoint.save(path, model, replace(model.manifest, card=facts), torch.float16)

    stored = checkpoint.load(path)
    assert stored.manifest is not None
    reports: dict[str, Report] = {}
    for data in (record.data.source, *arguments.also_on):
        subject = protocols.Subject(stored, path, data, stored.manifest.data)
        ending = "" if data == record.data.source else f" --data {data}"
        for name in arguments.protocol:
            reports[f"{name}{ending}"] = _judged(name, subject, arguments.set)
    figures = {name: dict(report.facts) for name, report in reports.items()}
    manifest = replace(model.manifest, card=facts | {"figures": figures})
    checkpoint.save(path, model, manifest, torch.float16)
    card = _card(arguments, record, facts, reports)
    path.with_suffix(".md").write_text(card)
    print(json.dumps(figures))


def _judged(name: str, subject: protocols.Subject, changes: Sequence[str]) -> Report:
    protocol = protocols.get(name)
    return protocol.run(subject, override(protocol.options(), changes))


def _card(
    arguments: argparse.Namespace,
    record: RunRecord,
    facts: Mapping[str, object],
    reports: Mapping[str, Report],
) -> str:
    """The card as Markdown."""
    family, name, about = get(record.family), arguments.name, arguments.about

    def listed(values: object) -> str:
        return ", ".join(f"{k} {v}" for k, v in dict(values).items() if v)  # type: ignore[call-overload]

    parts = [
        f"# {family.title}: {name}",
        f"`{name}.safetensors`: {family.title} (`{family.name}`, preset `{record.preset}`), "
        f"trained without labels on `{record.data.source}`. {family.paper}. {about}".strip(),
        "Weights are stored in half precision, and the figures below are of the stored file.",
        "\n".join(
            (
                "| | |",
                "| --- | --- |",
                f"| command | `{facts['command']}` |",
                f"| seed, steps, batch | {facts['seed']}, {facts['steps']}, {facts['batch']} |",
                f"| wall time | {facts['wall_minutes']} minutes, one thread, other work on the "
                f"same machine |",
                f"| machine | {listed(facts['machine'])} |",
                f"| versions | {listed(facts['versions'])} |",
                f"| stored by | `scripts/ship_model.py RUN {name}` |",
                f"| licence | Apache-2.0, as the project; {arguments.material} |",
            )
        ),
    ]
    for protocol, report in reports.items():
        table, *_ = report.tables
        rows = [table.columns, tuple("---" for _ in table.columns)]
        rows += [tuple(shown(cell) for cell in row) for row in table.rows]
        parts += [
            f"## kp eval --protocol {protocol}",
            f"{report.title}. {table.note}",
            "\n".join(f"| {' | '.join(row)} |" for row in rows),
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
