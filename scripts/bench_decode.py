#!/usr/bin/env python
"""Time encode, decode and decode-while-dragging of every family and preset.

Weights are untrained: the time does not depend on them. Threads are chosen by timing, once for each
preset, on a single decode. "drag" is what the studio does for each move of the hand: one picture,
one particle at a new place, glimpses kept; "draft" is the same while the hand moves. The last
printed line is one JSON object; times are medians in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

import kpcore
from kpcore import registry
from kpcore.api import KeypointModel
from kpcore.drafting import drafting
from kpcore.latents import Latents
from kpcore.threads import choose_threads

_ROUNDS = 40
_SECONDS = 4.0
"""At most, for one figure; at least three rounds are timed."""


def processor() -> str:
    """Return the name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many cores this process may use."""
    able = getattr(os, "sched_getaffinity", None)
    return len(able(0)) if able else (os.cpu_count() or 1)


def times_ms(work: Callable[[], object], device: torch.device, rounds: int) -> dict[str, float]:
    """Return median, tenth and ninetieth percentile of the work's time."""
    began = time.perf_counter()
    for _ in range(3):
        work()
    settle(device)
    taken: list[float] = []
    while len(taken) < rounds and (len(taken) < 3 or time.perf_counter() - began < _SECONDS):
        start = time.perf_counter()
        work()
        settle(device)
        taken.append((time.perf_counter() - start) * 1000.0)
    ordered = sorted(taken)
    return {
        "ms": round(statistics.median(taken), 3),
        "p10_ms": round(ordered[len(ordered) // 10], 3),
        "p90_ms": round(ordered[len(ordered) * 9 // 10], 3),
    }


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def moves(latents: Latents) -> Iterator[Latents]:
    """Yield the latents with one particle at one new place after another."""
    chance = torch.Generator().manual_seed(1)
    while True:
        row = int(torch.randint(latents.count, (1,), generator=chance))
        place = (torch.rand(2, generator=chance) * 1.6 - 0.8).tolist()
        yield latents.with_rows("position", [row], [place])


def spread(latents: Latents) -> Latents:
    """Return the latents with particles all over the picture, as after training."""
    chance = torch.Generator().manual_seed(0)
    place = torch.rand(latents.position.shape, generator=chance) * 1.6 - 0.8
    return replace(latents, position=place.to(latents.position))


@torch.inference_mode()
def measure(
    model: KeypointModel, device: torch.device, batches: list[int], rounds: int
) -> dict[str, object]:
    """Return all figures of one model on one device."""
    height, width = model.capabilities.image_size
    figures: dict[str, object] = {}
    one = torch.rand(1, 3, height, width, device=device)
    encoding = model.encode(one)
    still = spread(encoding.latents)
    if device.type == "cpu":
        figures["threads"] = choose_threads(lambda: model.decode(still, encoding.context))
    for batch in batches:
        image = one.expand(batch, -1, -1, -1).contiguous()
        many = model.encode(image)
        latents = spread(many.latents)
        encode, decode = partial(model.encode, image), partial(model.decode, latents, many.context)
        figures[f"encode_{batch}"] = times_ms(encode, device, rounds)
        figures[f"decode_{batch}"] = times_ms(decode, device, rounds)
    decoder, edits = model.decoder_for(encoding), moves(still)
    figures["drag"] = times_ms(lambda: decoder(next(edits)), device, rounds)
    with drafting():
        figures["draft"] = times_ms(lambda: decoder(next(edits)), device, rounds)
    return figures


def main() -> None:
    """Measure, print one line for each preset, then the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="*", default=registry.list_models())
    parser.add_argument("--presets", nargs="*", default=None, help="default: all of each family")
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--quick", action="store_true", help="batch 1, default presets, few rounds")
    parser.add_argument(
        "--devices",
        nargs="*",
        default=["cpu", *(["cuda"] if torch.cuda.is_available() else [])],
    )
    arguments = parser.parse_args()
    batches = [1] if arguments.quick else arguments.batches
    presets = ["default"] if arguments.quick else arguments.presets
    rounds = 10 if arguments.quick else _ROUNDS
    report: dict[str, object] = {
        "machine": processor(),
        "cores": cores(),
        "system": platform.platform(),
        "torch": str(torch.__version__),
        "library": kpcore.__version__,
    }
    if torch.cuda.is_available():
        report["cuda"] = torch.cuda.get_device_name()
    for name in arguments.families:
        family = registry.get(name)
        for preset in presets or list(family.presets):
            if preset not in family.presets or family.needs:
                # A model around another decodes as that one does.
                continue
            torch.manual_seed(0)
            model = family.build(family.presets[preset].config).eval()
            for device in map(torch.device, arguments.devices):
                figures = measure(model.to(device), device, batches, rounds)
                report[f"{name}/{preset}/{device}"] = figures
                line = ", ".join(
                    f"{key} {value['ms']:.1f} ms" if isinstance(value, dict) else f"{key} {value}"
                    for key, value in figures.items()
                )
                print(f"{name} {preset} {device}: {line}", flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
