"""Protocol "prediction": predicted frames against true ones, beside the baselines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from kpcore import checkpoint
from kpcore.api import KeypointModel, VideoPredictor
from kpcore.configuration import from_plain
from kpcore.data.synthetic import are_scenes
from kpcore.errors import CapabilityError, InputError, ShapeError
from kpcore.evaluation import calibration, prediction
from kpcore.evaluation.baselines import ConstantVelocity
from kpcore.evaluation.calibration import CalibrationFigures
from kpcore.evaluation.episodes import (
    TEST_SEED,
    Episode,
    held_out_of,
    procedural_episodes,
    stride_of,
    video_episodes,
)
from kpcore.evaluation.forecast import CopyLast, Forecaster, RollOut
from kpcore.evaluation.lpips import LPIPS
from kpcore.evaluation.plot import Panel
from kpcore.evaluation.prediction import PredictionFigures, StepFigures
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.report import Cell, Report, Table
from kpcore.geometry.framing import FramingRule
from kpcore.tracking import GATE

COPY, VELOCITY, CEILING = "copy last frame", "constant velocity", "reconstruction of the true frame"
NO_LPIPS = "no weights given"


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """Choices of the protocol.

    Attributes:
        steps: frames predicted after the last given one.
        clips: clips, or runs of frames of videos, to measure on.
        seed: stream of procedural clips; the default is used by no training run.
        stride: every how many frames of a video one is used; 0 for that of the training.
        baseline: checkpoint of another video predictor for the table, such as keynet-rnn; empty
            for none.
        gate: farthest that a particle moves from frame to frame for constant velocity, unit
            coordinates.
        futures: futures drawn from the posterior of each clip's start, for spread against error on
            procedural scenes; 0 for none.
        lpips_trunk: torchvision's VGG16 weights, for LPIPS.
        lpips_heads: the metric's own layers (vgg.pth, version 0.1), for LPIPS.
        batch: clips predicted at a time.
    """

    steps: int = 30
    clips: int = 32
    seed: int = TEST_SEED
    stride: int = 0
    baseline: str = ""
    gate: float = GATE
    futures: int = 0
    lpips_trunk: str = ""
    lpips_heads: str = ""
    batch: int = 8

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("clips", 1), ("batch", 1), ("futures", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; use at least {least}")
        if bool(self.lpips_trunk) != bool(self.lpips_heads):
            raise InputError(
                "LPIPS needs both of its files; give lpips_trunk (VGG16) and lpips_heads (vgg.pth)"
            )


def run(subject: Subject, options: PredictionOptions) -> Report:
    """Return the table of predictors, step by step.

    Raises:
        CapabilityError: The checkpoint is no video predictor.
        DataError: The data or the LPIPS weights cannot be read.
        InputError: An option is out of range.
    """
    began = time.perf_counter()
    ours = predictor(subject.model, subject.checkpoint.name)
    renderer = ours.renderer
    name = subject.model.manifest.family if subject.model.manifest else subject.checkpoint.stem
    forecasters: list[Forecaster] = [
        RollOut(ours, name),
        CopyLast(renderer),
        RollOut(ConstantVelocity(renderer, options.gate), VELOCITY),
    ]
    if options.baseline:
        forecasters.append(_baseline(subject.model, Path(options.baseline), name))
    given = max(forecaster.history for forecaster in forecasters)
    device = next(subject.model.parameters()).device
    lpips = None
    if options.lpips_trunk:
        lpips = LPIPS(options.lpips_trunk, options.lpips_heads).to(device)
    figures = prediction.measure(
        forecasters,
        _episodes(subject, options, given + options.steps),
        options.steps,
        ceiling=renderer,
        lpips=lpips,
        batch=options.batch,
    )
    futures = None
    if options.futures:
        episodes = _episodes(subject, options, ours.history + options.steps)
        futures = calibration.measure(ours, episodes, options.steps, options.futures)
    facts = {
        "protocol": "prediction",
        "checkpoint": subject.checkpoint.name,
        "baseline": Path(options.baseline).name or None,
        "data": subject.data,
        "seconds": round(time.perf_counter() - began, 1),
    }
    return report(facts, figures, futures)


def predictor(model: KeypointModel, name: str) -> VideoPredictor:
    """Return the model as what it also is.

    Raises:
        CapabilityError: It predicts no video.
    """
    if not model.capabilities.video_history or not hasattr(model, "predict"):
        raise CapabilityError(
            f"'{name}' predicts no video; give a checkpoint of a video family ('kp models' lists "
            f"them)"
        )
    return cast("VideoPredictor", model)


def _baseline(model: KeypointModel, path: Path, ours: str) -> RollOut:
    other = checkpoint.load(path, str(next(model.parameters()).device))
    if other.capabilities.image_size != model.capabilities.image_size:
        raise ShapeError(
            f"the baseline '{path.name}' makes pictures of {other.capabilities.image_size}, the "
            f"checkpoint of {model.capabilities.image_size}; give one of the same size"
        )
    family = other.manifest.family
    return RollOut(
        predictor(other, path.name), family if family != ours else f"{family} (baseline)"
    )


def _episodes(subject: Subject, options: PredictionOptions, frames: int) -> Iterable[Episode]:
    size = subject.model.capabilities.image_size
    if are_scenes(subject.data):
        return procedural_episodes(subject.data, size[0], frames, options.clips, options.seed)
    trained_on = subject.trained_on
    return video_episodes(
        subject.data,
        size,
        frames,
        options.clips,
        held_out=held_out_of(subject.data, trained_on),
        framing=from_plain(FramingRule, trained_on.get("framing") or {}),
        stride=options.stride or stride_of(trained_on),
    )


# -- what is said of the figures ------------------------------------------------------------------
def report(
    facts: dict[str, Any], figures: PredictionFigures, futures: CalibrationFigures | None = None
) -> Report:
    """Return figures as a report; the first predictor is the one that is judged.

    Args:
        facts: What was measured and how; the headline figures are added.
        figures: Of all predictors.
        futures: Spread and error, if they were measured.
    """
    ours, *others = figures.predictors
    told = dict(facts) | {
        "predictor": ours.predictor,
        "clips": figures.episodes,
        "steps": figures.steps,
        "lpips": "given" if ours.lpips else NO_LPIPS,
    }
    keys = {COPY: "copy", VELOCITY: "velocity"}
    for other in others:
        won = figures.steps_beating(ours.predictor, other.predictor)
        key = keys.get(other.predictor, other.predictor)
        told[f"steps_beating_{key}"] = sum(won)
        told[f"lost_to_{key}_at"] = [step for step, better in enumerate(won, 1) if not better]
    told["mean"] = {row.predictor: _mean_figures(row) for row in figures.predictors}
    told["ceiling_psnr_db"] = _mean(figures.ceiling_psnr_db)
    if futures is not None:
        told["futures"] = _rounded_futures(futures)
    return Report(
        f"Video prediction: {facts.get('checkpoint', ours.predictor)} on {facts.get('data', '')}",
        told,
        (_summary(figures), _steps(figures), *(() if futures is None else (_spread(futures),))),
        _panels(figures),
    )


def _summary(figures: PredictionFigures) -> Table:
    rows = [
        (
            row.predictor,
            row.history,
            _mean(row.psnr_db),
            _mean(row.ssim),
            NO_LPIPS if row.lpips is None else _mean(row.lpips),
            None if row.track_px is None else _mean(row.track_px),
            row.found,
        )
        for row in figures.predictors
    ]
    return Table(
        "Means over the horizon",
        ("predictor", "frames seen", "PSNR dB", "SSIM", "LPIPS", "track px", "found %"),
        tuple(rows),
        "PSNR and SSIM: higher is better; LPIPS and track error: lower. Found: objects of the last "
        "given frame on which a particle stood, and which are followed. The reconstruction of the "
        f"true frames has a PSNR of {_mean(figures.ceiling_psnr_db):.2f} dB.",
    )


def _steps(figures: PredictionFigures) -> Table:
    columns: list[str] = ["step"]
    series: list[Sequence[Cell]] = [tuple(range(1, figures.steps + 1))]
    for row in figures.predictors:
        known = {
            "PSNR": row.psnr_db,
            "SSIM": row.ssim,
            "LPIPS": row.lpips,
            "track px": row.track_px,
        }
        for name, values in known.items():
            if values is not None:
                columns.append(f"{row.predictor}: {name}")
                series.append(values)
    columns.append(f"{CEILING}: PSNR")
    series.append(figures.ceiling_psnr_db)
    without = figures.predictors[0].lpips is None
    note = f"LPIPS: {NO_LPIPS}." if without else ""
    return Table("Step by step", tuple(columns), tuple(zip(*series, strict=True)), note)


def _spread(futures: CalibrationFigures) -> Table:
    rows = zip(
        range(1, len(futures.spread_px) + 1),
        futures.spread_px,
        futures.error_px,
        futures.inside,
        strict=True,
    )
    return Table(
        f"Spread of {futures.futures} futures",
        ("step", "spread px", "error of the mean px", "truth inside %"),
        tuple(rows),
        f"Drawn from the particles' posterior at the given frames. Rank correlation of spread and "
        f"error: {futures.rank_correlation:.2f}.",
    )


def _panels(figures: PredictionFigures) -> tuple[Panel, ...]:
    axis, rows = "steps after the last given frame", figures.predictors
    pictures = {row.predictor: row.psnr_db for row in rows} | {CEILING: figures.ceiling_psnr_db}
    panels = [
        Panel("PSNR, dB", axis, pictures, frozenset({CEILING})),
        Panel("SSIM", axis, {row.predictor: row.ssim for row in rows}),
    ]
    tracked = {row.predictor: row.track_px for row in rows if row.track_px is not None}
    if tracked:
        panels.append(Panel("track error, px", axis, tracked))
    return tuple(panels)


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float("nan")


def _mean_figures(row: StepFigures) -> dict[str, float | None]:
    means = {
        "psnr_db": row.psnr_db,
        "ssim": row.ssim,
        "lpips": row.lpips,
        "track_px": row.track_px,
    }
    return {name: None if v is None else round(_mean(v), 4) for name, v in means.items()}


def _rounded_futures(futures: CalibrationFigures) -> dict[str, Any]:
    plain = asdict(futures)
    return {
        name: round(_mean(value), 4) if isinstance(value, tuple) else value
        for name, value in plain.items()
    }


PROTOCOL = Protocol(
    "predicted frames against true ones, beside copying, constant velocity and another predictor",
    PredictionOptions,
    run,
)
