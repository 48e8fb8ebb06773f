"""From what the user asks to a job that is ready to train, new or resumed."""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

from kpcore import checkpoint, registry
from kpcore.api import STILL, Family, KeypointModel, Recipe, Window
from kpcore.configuration import from_plain, override, to_plain
from kpcore.data.catalog import open_source
from kpcore.data.clips import Split
from kpcore.data.public import PUBLIC
from kpcore.data.source import ImageSource, Report
from kpcore.data.synthetic import are_scenes
from kpcore.errors import CheckpointError, DataError, InputError, TrainingError, nearest
from kpcore.geometry.framing import FramingRule
from kpcore.training.config import Cadence, DataChoice, Optimisation, RunRecord, TrainRequest
from kpcore.training.device import (
    accelerator_for,
    machine,
    place,
    seed_step,
    settle_precision,
    settle_threads,
    versions,
)
from kpcore.training.encoded import encoded
from kpcore.training.events import read_record
from kpcore.training.snapshots import RunFiles
from kpcore.training.trainer import Job


def start(request: TrainRequest, folder: Path | None = None, report: Report | None = None) -> Job:
    """Return the job of a new run; its directory holds `config.json` from here on.

    Args:
        request: What is asked for.
        folder: The run directory; None chooses one under `runs`.
        report: Told how many pictures are ready, of how many.

    Raises:
        InputError: An unknown family, preset or field, or a folder in use.
        DataError: The data cannot be used.
        DeviceError: The device is absent.
    """
    family = registry.get(request.family)
    if request.preset not in family.presets:
        known = ", ".join(family.presets)
        raise InputError(
            f"'{family.name}' has no preset '{request.preset}'; known: {known}."
            f"{nearest(request.preset, family.presets)}"
        )
    preset = family.presets[request.preset]
    config = override(preset.config, request.overrides)
    folder = folder or _default_folder(request)
    device = checkpoint.find_device(request.device)
    threads = settle_threads(request.threads)
    precision = settle_precision(request.precision, device)
    accelerator = accelerator_for(request.device, precision)
    if accelerator.is_main_process:
        _require_free(folder)
    inside = _inside(family, request)
    seed_step(request.seed, 0)
    model = family.build(config, **inside)
    if request.weights:
        _begin_with(model, family, request.weights)
    model = place(model, accelerator)
    size = model.capabilities.image_size
    with accelerator.main_process_first():
        window = family.window(config)
        source, held_out = open_data(request.data, size, request.seed, report, window)
        source, held_out = _with_latents(family, model, source, held_out, report)
    optimisation = settle(request, preset.recipe, len(source))
    if optimisation.batch < accelerator.num_processes:
        raise InputError(
            f"batch is {optimisation.batch} for {accelerator.num_processes} processes; use at "
            f"least one image for each"
        )
    record = RunRecord(
        family=family.name,
        preset=request.preset,
        config=to_plain(config),
        data=request.data,
        optimisation=optimisation,
        cadence=Cadence.for_steps(
            optimisation.steps, request.snapshot_every, request.checkpoint_every
        ),
        seed=request.seed,
        device=request.device,
        precision=precision,
        threads=threads,
        description=to_plain(source.description),
        command=request.command,
        versions=versions(),
        machine=machine(),
        renderer=request.renderer,
        weights=request.weights,
    )
    if accelerator.is_main_process:
        write_record(record, folder)
    phases = family.phases(model, config)
    return Job(record, folder, model, phases, source, held_out, accelerator)


def resume(
    folder: Path,
    *,
    steps: int | None = None,
    learning_rate: float | None = None,
    device: str | None = None,
    threads: int = 0,
    report: Report | None = None,
) -> Job:
    """Return the job that goes on where a run directory's last checkpoint ends.

    Raises:
        TrainingError: Not a run directory, nothing to go on from, or nothing left to do.
        CheckpointError: The last checkpoint is damaged.
    """
    record = read_record(folder)
    o = record.optimisation
    record = replace(
        record,
        optimisation=replace(
            o,
            steps=o.steps if steps is None else steps,
            learning_rate=o.learning_rate if learning_rate is None else learning_rate,
        ),
        device=device or record.device,
        threads=settle_threads(threads or record.threads),
    )
    files = RunFiles(folder)
    stem = files.pointers.last
    if not stem:
        raise TrainingError(
            f"'{folder}' has no checkpoint to go on from; start the run again: "
            f"{' '.join(record.command)}"
        )
    standing, _ = files.read_state(stem)
    if standing.step >= record.optimisation.steps:
        raise TrainingError(
            f"'{folder}' has done all its {standing.step} steps; give --steps with a higher "
            f"number to train further"
        )
    family = registry.get(record.family)
    accelerator = accelerator_for(record.device, record.precision)
    try:
        model = place(checkpoint.load(files.weights(stem)), accelerator)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; delete it to resume from the checkpoint before") from error
    config = from_plain(family.config, record.config)
    size = model.capabilities.image_size
    with accelerator.main_process_first():
        window = family.window(config)
        source, held_out = open_data(record.data, size, record.seed, report, window)
        source, held_out = _with_latents(family, model, source, held_out, report)
    if accelerator.is_main_process:
        write_record(record, folder)
    phases = family.phases(model, config)
    return Job(record, folder, model, phases, source, held_out, accelerator, stem)


def _begin_with(model: KeypointModel, family: Family, path: str) -> None:
    """Give a new model the weights of a checkpoint.

    Raises:
        CheckpointError: Not a checkpoint, or one of another family or of other sizes.
    """
    trained = checkpoint.load(path)
    assert trained.manifest is not None
    name = Path(path).name
    if trained.manifest.family != family.name:
        raise CheckpointError(
            f"'{name}' is a {trained.manifest.family} model; a {family.name} model begins with "
            f"weights of its own family"
        )
    weights = trained.state_dict()
    checkpoint.check_state(model.state_dict(), weights, name)
    model.load_state_dict(weights)


def _inside(family: Family, request: TrainRequest) -> dict[str, KeypointModel]:
    """Return the trained models that a new one contains, by role."""
    if "renderer" not in family.needs:
        if request.renderer:
            raise InputError(f"a {family.name} model contains no renderer; leave out --renderer")
        return {}
    if not request.renderer:
        raise InputError(
            f"a {family.name} model moves the particles of a trained model; give its checkpoint "
            f"with --renderer MODEL.safetensors"
        )
    return {"renderer": checkpoint.load_renderer(request.renderer)}


def _with_latents(
    family: Family,
    model: KeypointModel,
    source: ImageSource,
    held_out: ImageSource | None,
    report: Report | None,
) -> tuple[ImageSource, ImageSource | None]:
    """Return the sources with what a frozen renderer finds in their frames, encoded once."""
    if "renderer" not in family.needs:
        return source, held_out
    renderer = cast("KeypointModel", model.renderer)
    return (
        encoded(source, renderer, report),
        None if held_out is None else encoded(held_out, renderer, report),
    )


def write_record(record: RunRecord, folder: Path) -> None:
    """Store the `config.json` of a run directory."""
    text = json.dumps(to_plain(record), indent=1, ensure_ascii=False)
    checkpoint.write_atomically(folder / "config.json", text.encode())


def settle(request: TrainRequest, recipe: Recipe, images: int) -> Optimisation:
    """Return the recipe with what the user asked otherwise; epochs become steps."""
    batch = recipe.batch if request.batch is None else request.batch
    steps = recipe.steps if request.steps is None else request.steps
    rate = recipe.learning_rate if request.learning_rate is None else request.learning_rate
    if steps is None:
        steps = math.ceil((recipe.epochs or 1) * images / max(1, batch))
    return Optimisation(
        steps=steps,
        batch=batch,
        learning_rate=rate,
        milestones=tuple(recipe.milestones),
        decay=recipe.decay,
        rise=recipe.rise,
        adam_eps=recipe.adam_eps,
    )


def open_data(
    choice: DataChoice,
    size: tuple[int, int],
    seed: int,
    report: Report | None = None,
    window: Window = STILL,
) -> tuple[ImageSource, ImageSource | None]:
    """Return the pictures to learn from, and those held out (None where nothing is).

    Raises:
        DataError: There is no such data, it cannot be read, or its clips are shorter than `window`.
        InputError: An option means nothing for this data.
    """
    held_out = parse_held_out(choice.held_out)
    _require_meaning(choice)

    def opened(split: Split) -> ImageSource:
        return open_source(
            choice.source,
            size,
            split=split,
            held_out=held_out,
            stride=choice.stride,
            framing=FramingRule(choice.fit, choice.box),
            window=window,
            seed=seed,
            pool=choice.pool if split == "train" else 0,
            progress=report,
        )

    source = opened("train")
    if not held_out:
        return source, None
    try:
        return source, opened("held-out")
    except DataError:
        if choice.held_out:
            raise
        return source, None


def _require_meaning(choice: DataChoice) -> None:
    """Raise `InputError` for an option that this kind of data would ignore."""
    plain = DataChoice(choice.source)
    if are_scenes(choice.source):
        given = [
            name
            for name in ("stride", "fit", "box")
            if getattr(choice, name) != getattr(plain, name)
        ]
        if choice.held_out not in ("", "0"):
            given.append("held-out")
        why = f"'{choice.source}' are procedural scenes, made at the model's size without end"
    elif choice.source.partition(":")[0] in PUBLIC and not Path(choice.source).exists():
        given = ["pool"] if choice.pool else []
        if choice.held_out not in ("", "0"):
            given.append("held-out")
        why = f"'{choice.source}' is a public data set with splits of its own"
    else:
        given = ["pool"] if choice.pool else []
        why = f"'{choice.source}' is read from files; a pool is for procedural scenes"
    if given:
        options = ", ".join(f"--{name}" for name in given)
        raise InputError(f"{why}; leave out {options}")


def parse_held_out(text: str) -> int | float | tuple[str, ...]:
    """Return "3" as a count, "0.1" as a fraction, "a.mp4,b.mp4" as names; empty is a tenth."""
    if not text:
        return 0.1
    if re.fullmatch(r"\d+", text):
        return int(text)
    if re.fullmatch(r"\d*\.\d*", text) and text != ".":
        return float(text)
    return tuple(name for name in text.split(",") if name)


def _default_folder(request: TrainRequest) -> Path:
    data = re.sub(r"[^\w.-]+", "-", Path(request.data.source).stem).strip("-") or "data"
    return Path("runs") / f"{request.family}-{data}-{time.strftime('%Y%m%d-%H%M%S')}"


def _require_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = (
            f"go on with 'kp train --resume {folder}' or choose"
            if (folder / "config.json").exists()
            else "choose"
        )
        raise InputError(f"'{folder}' is already in use; {hint} another --out")
