#!/usr/bin/env python
"""Turn a training run into the shipped demo checkpoint, measured as it is stored.

Stores the weights in half precision, measures the stored file on held-out scenes, and writes the
facts of the run and the figures into the checkpoint and into a card beside it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch

from kpcore.checkpoint import load, save
from kpcore.configuration import from_plain
from kpcore.data.synthetic import SCENES
from kpcore.evaluation.objects import TEST_SEED, ObjectFigures, measure
from kpcore.training.config import RunRecord

SHIPPED = Path(__file__).parents[1] / "resources" / "checkpoints" / "demo.safetensors"


def main() -> None:
    """Store, measure, describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run directory of 'kp train'")
    parser.add_argument("--checkpoint", type=Path, help="default: RUN/model.safetensors")
    parser.add_argument("--scenes", type=int, default=512)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    record = from_plain(RunRecord, json.loads((arguments.run / "config.json").read_text()))
    model = load(arguments.checkpoint or arguments.run / "model.safetensors")
    assert model.manifest is not None
    facts = run_facts(record, arguments.run, model.manifest.step)
    manifest = replace(model.manifest, card=facts)
    save(arguments.out, model, manifest, torch.float16)

    stored = load(arguments.out)
    size = stored.capabilities.image_size[0]
    source = SCENES[record.data.source]
    figures = measure(stored, (source.sample(TEST_SEED, i, size) for i in range(arguments.scenes)))
    report = figures.rounded() | {"scenes": arguments.scenes, "seed": TEST_SEED}
    save(arguments.out, model, replace(manifest, card=facts | {"figures": report}), torch.float16)
    arguments.out.with_suffix(".md").write_text(_card(facts, figures, arguments.scenes))
    print(json.dumps(report))


def run_facts(record: RunRecord, run: Path, step: int) -> dict[str, object]:
    """What made the weights; the run directory's own place is left out of the command."""
    command = list(record.command)
    if "--out" in command:
        place = command.index("--out")
        del command[place : place + 2]
    told = [
        json.loads(line)
        for line in (run / "events.jsonl").read_text().splitlines()
        if line.endswith("}")
    ]
    seconds = sum(
        after["time"] - before["time"]
        for before, after in pairwise(told)
        if after["event"] != "resumed"
    )
    return {
        "command": " ".join(command),
        "seed": record.seed,
        "steps": step,
        "batch": record.optimisation.batch,
        "wall_minutes": round(seconds / 60, 1),
        "machine": {k: record.machine[k] for k in ("processor", "cores", "threads", "cuda")},
        "versions": record.versions,
        "weights": "half precision",
        "licence": "Apache-2.0",
    }


def _card(facts: dict[str, object], figures: ObjectFigures, scenes: int) -> str:
    """The card as Markdown."""
    rows = "\n".join(f"| `{name}` | {value} |" for name, value in figures.rounded().items())
    machine = ", ".join(f"{k} {v}" for k, v in dict(facts["machine"]).items() if v)  # type: ignore[call-overload]
    versions = ", ".join(f"{k} {v}" for k, v in dict(facts["versions"]).items())  # type: ignore[call-overload]
    return f"""# The demo checkpoint

`demo.safetensors`: DLP Object, compact (`dlp-compact`), 128 x 128, trained without labels on the
procedural scenes `traffic`. It departs from the paper; `kpcore/models/dlp_compact` says where and
why. Weights are stored in half precision, and the figures below are of the stored file.

| | |
| --- | --- |
| command | `{facts["command"]}` |
| seed, steps, batch | {facts["seed"]}, {facts["steps"]}, {facts["batch"]} |
| wall time | {facts["wall_minutes"]} minutes, one thread, other work on the same machine |
| machine | {machine} |
| versions | {versions} |
| stored by | `scripts/ship_demo.py RUN` |
| licence | Apache-2.0, as the project; nothing but drawn scenes went in |

Figures on {scenes} held-out scenes (stream {TEST_SEED}; training used stream 0), by
`scripts/eval_demo.py`. Pixels are native pixels of 128. `kpcore.evaluation.objects` defines each.

| figure | value |
| --- | --- |
{rows}
"""


if __name__ == "__main__":
    main()
