#!/usr/bin/env python
"""Time roll-outs: particles predicted and decoded, frame by frame.

Without a checkpoint the predictor is an untrained one over an untrained model of 15 particles at
128 x 128, all of them present: the time does not depend on the weights. The last printed line is
one JSON object: frames_per_s counts frames that are predicted and decoded into a picture, at a
batch of one, and is the median over the rounds; the milliseconds say where the time goes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from bench_decode import cores, processor

import kpcore
from kpcore import checkpoint, registry
from kpcore.api import KeypointModel, VideoPredictor
from kpcore.errors import CapabilityError
from kpcore.latents import Latents
from kpcore.threads import choose_threads

PARTICLES = 15


def untrained(family: str) -> KeypointModel:
    """Return a predictor over a model of 15 particles at 128 x 128."""
    torch.manual_seed(0)
    made = registry.get(family)
    default = made.presets["default"].config
    renderer = made.build(replace(default, particles=PARTICLES, image_size=128))
    predictor = registry.get("dlp-gcn")
    return predictor.build(predictor.presets["unrolled"].config, renderer=renderer).eval()


def start(model: KeypointModel) -> list[Latents]:
    """Return the particles of two pictures, every one present."""
    height, width = model.capabilities.image_size
    chance = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        images = [torch.rand(1, 3, height, width, generator=chance) for _ in range(2)]
        found = [model.encode(image).latents for image in images]
    return [
        replace(latents, presence=None if latents.presence is None else latents.presence * 0 + 1)
        for latents in found
    ]


def rolled_out(model: KeypointModel, past: Sequence[Latents], steps: int) -> tuple[float, float]:
    """Return the seconds of predicting and of decoding `steps` frames."""
    if not isinstance(model, VideoPredictor):
        raise CapabilityError("this checkpoint is an image model; give a predictor's")
    height, width = model.capabilities.image_size
    image = torch.rand(1, 3, height, width)
    predicting = decoding = 0.0
    with torch.inference_mode():
        context = model.encode(image).context
        frames = model.predict(past, steps)
        for _ in range(steps):
            begun = time.perf_counter()
            latents = next(frames)
            told = time.perf_counter()
            model.decode(latents, context)
            decoding += time.perf_counter() - told
            predicting += told - begun
    return predicting, decoding


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "checkpoint", nargs="?", type=Path, help="a predictor's; default: untrained"
    )
    parser.add_argument("--renderer", default="dlp-compact", help="family, without a checkpoint")
    parser.add_argument("--steps", type=int, default=30, help="frames of a roll-out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="default: what is fastest")
    arguments = parser.parse_args()
    model = (
        checkpoint.load(arguments.checkpoint)
        if arguments.checkpoint
        else untrained(arguments.renderer)
    )
    past = start(model)
    threads = arguments.threads
    if threads:
        torch.set_num_threads(threads)
    else:
        threads = choose_threads(lambda: rolled_out(model, past, 1))
    rolled_out(model, past, 2)
    rounds = [rolled_out(model, past, arguments.steps) for _ in range(arguments.rounds)]
    load, *_ = os.getloadavg()
    report = {
        "frames_per_s": round(statistics.median(arguments.steps / sum(r) for r in rounds), 1),
        "best_frames_per_s": round(max(arguments.steps / sum(r) for r in rounds), 1),
        "predict_ms": round(statistics.median(r[0] for r in rounds) / arguments.steps * 1e3, 2),
        "decode_ms": round(statistics.median(r[1] for r in rounds) / arguments.steps * 1e3, 2),
        "particles": model.capabilities.particles,
        "image_size": list(model.capabilities.image_size),
        "model": str(arguments.checkpoint or f"untrained over {arguments.renderer}"),
        "steps": arguments.steps,
        "rounds": arguments.rounds,
        "threads": threads,
        "machine": processor(),
        "cores": cores(),
        "load": round(load, 1),
        "torch": str(torch.__version__),
        "library": kpcore.__version__,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
