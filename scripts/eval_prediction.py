#!/usr/bin/env python
"""Measure a video predictor beside copying, constant velocity and another predictor.

The last printed line is one JSON object: at how many of the steps the predictor beats each
baseline in both PSNR and (on procedural scenes) track error, and mean figures. The whole table,
step by step, goes to files (.json, .md, .png). The same as 'kp eval --protocol prediction'.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import fields
from pathlib import Path

import kpcore
from kpcore.checkpoint import load
from kpcore.data.synthetic import SCENES
from kpcore.evaluation.protocols import Subject
from kpcore.evaluation.protocols.prediction import PredictionOptions, run
from kpcore.evaluation.report import write

SHIPPED = Path(__file__).parents[1] / "resources" / "checkpoints" / "demo-predictor.safetensors"


def main() -> None:
    """Load, measure, write, print."""
    defaults = {field.name: field.default for field in fields(PredictionOptions)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument(
        "--data",
        default=None,
        help=f"procedural scenes ({', '.join(SCENES)}), a video or a folder of them; of the data "
        f"it was trained on, only what was held out is used (default: traffic)",
    )
    parser.add_argument("--baseline", default="", help="checkpoint of another predictor")
    parser.add_argument("--steps", type=int, default=defaults["steps"])
    parser.add_argument("--clips", type=int, default=defaults["clips"])
    parser.add_argument("--seed", type=int, default=defaults["seed"], help="stream of the scenes")
    parser.add_argument("--stride", type=int, default=0, help="default: that of the training")
    parser.add_argument("--futures", type=int, default=0, help="for spread against error")
    parser.add_argument("--lpips-trunk", default="", help="torchvision's VGG16 weights")
    parser.add_argument("--lpips-heads", default="", help="the metric's vgg.pth, version 0.1")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/eval_prediction"), help="stem of the files"
    )
    arguments = parser.parse_args()

    model = load(arguments.checkpoint, arguments.device)
    trained_on = dict(model.manifest.data) if model.manifest else {}
    data = arguments.data or "traffic"
    options = {name: getattr(arguments, name) for name in defaults if hasattr(arguments, name)}
    report = run(
        Subject(model, arguments.checkpoint, data, trained_on), PredictionOptions(**options)
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    files = write(report, arguments.out)
    print(report.markdown())
    facts = report.plain()["facts"]
    machine = {"machine": platform.machine(), "library": kpcore.__version__}
    print(json.dumps({**facts, **machine, "table": str(files[0])}))


if __name__ == "__main__":
    main()
