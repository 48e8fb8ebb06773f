#!/usr/bin/env python
"""Measure the demo checkpoint on procedural scenes that it was not trained on.

The last printed line is one JSON object; see `kpcore.evaluation.objects.ObjectFigures` for what
each figure means. Distances are native pixels of the checkpoint's pictures.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import kpcore
from kpcore.checkpoint import load
from kpcore.data.synthetic import SCENES
from kpcore.errors import InputError
from kpcore.evaluation.objects import TEST_SEED, measure

SHIPPED = Path(__file__).parents[1] / "resources" / "checkpoints" / "demo.safetensors"


def main() -> None:
    """Load, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument("--scenes", type=int, default=512, help="how many scenes to measure on")
    parser.add_argument(
        "--data", choices=sorted(SCENES), default=None, help="default: what it was trained on"
    )
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="stream of the scenes")
    arguments = parser.parse_args()

    model = load(arguments.checkpoint)
    source = arguments.data or str(model.manifest.data.get("source", "") if model.manifest else "")
    if source not in SCENES:
        raise InputError(
            f"the checkpoint was trained on '{source}', which has no known objects; name scenes "
            f"with --data: {', '.join(SCENES)}"
        )
    size = model.capabilities.image_size[0]
    scenes = (SCENES[source].sample(arguments.seed, i, size) for i in range(arguments.scenes))
    began = time.perf_counter()
    figures = measure(model, scenes)
    print(f"{arguments.checkpoint.name}: {arguments.scenes} held-out scenes '{source}', {size} px")
    report = figures.rounded() | {
        "scenes": arguments.scenes,
        "seconds": round(time.perf_counter() - began, 1),
        "machine": platform.machine(),
        "library": kpcore.__version__,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
