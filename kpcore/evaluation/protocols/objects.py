"""Protocol "objects": do particles sit on the objects of procedural scenes?"""

from __future__ import annotations

from dataclasses import dataclass

from kpcore.data.synthetic import are_scenes, find_scenes, scene_names
from kpcore.errors import InputError
from kpcore.evaluation.objects import TEST_SEED, measure
from kpcore.evaluation.plot import Bars
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.report import Report, Table


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    """Choices of the protocol.

    Attributes:
        scenes: how many scenes to measure on.
        seed: stream of the scenes; the default is used by no training run.
    """

    scenes: int = 512
    seed: int = TEST_SEED


def run(subject: Subject, options: ObjectOptions) -> Report:
    """Return how well particles stand for objects (`kpcore.evaluation.objects`).

    Raises:
        InputError: The data are no procedural scenes.
        CapabilityError: The model has no presence or no glimpses.
    """
    if not are_scenes(subject.data):
        raise InputError(
            f"'{subject.data}' has no known objects; name procedural scenes with --data: "
            f"{', '.join(scene_names())}"
        )
    size = subject.model.capabilities.image_size[0]
    source = find_scenes(subject.data)
    scenes = (source.sample(options.seed, index, size) for index in range(options.scenes))
    measured = measure(subject.model, scenes)
    figures = measured.rounded()
    rows = tuple(
        (name, value if isinstance(value, int | float) else str(value))
        for name, value in figures.items()
    )
    return Report(
        f"Objects: {subject.checkpoint.name} on {options.scenes} scenes of {subject.data}",
        {"protocol": "objects", "data": subject.data, "seed": options.seed, "figures": figures},  # pyright: ignore[reportArgumentType]
        (Table("Figures", ("figure", "value"), rows, "Shares in percent, distances in pixels."),),
        (
            Bars(
                "Objects, %",
                ("found within 3 px", "moved within 1.5 px", "moved, areas too", "found twice"),
                {
                    "percent": (
                        measured.recall_3px,
                        measured.moved_within_1_5px,
                        measured.moved_strict,
                        measured.duplicates,
                    )
                },
            ),
            Bars(
                "PSNR, dB",
                ("pictures", "beside moved objects", "the same, 5th centile"),
                {
                    "dB": (
                        measured.psnr_db,
                        measured.psnr_elsewhere_db,
                        measured.psnr_elsewhere_p05_db,
                    )
                },
            ),
        ),
    )


PROTOCOL = Protocol("particles on the objects of procedural scenes", ObjectOptions, run)
