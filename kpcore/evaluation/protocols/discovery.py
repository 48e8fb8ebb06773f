"""Protocol "discovery": do masks agree with objects, and do prototypes stand for attributes?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kpcore.errors import CapabilityError, InputError
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.protocols.landmarks import open_pictures, spread
from kpcore.evaluation.protocols.looking import look
from kpcore.evaluation.prototypes import attribute_accuracy, owned_objects
from kpcore.evaluation.report import Report, Table
from kpcore.evaluation.segmentation import foreground_ari


@dataclass(frozen=True, slots=True)
class DiscoveryOptions:
    """Choices of the protocol.

    Attributes:
        split: pictures to measure on.
        pictures: most pictures of the split, spread over it; the paper has 10,000.
    """

    split: str = "test"
    pictures: int = 1_000

    def __post_init__(self) -> None:
        if self.pictures < 1:
            raise InputError(f"pictures is {self.pictures}; use at least 1")


def run(subject: Subject, options: DiscoveryOptions) -> Report:
    """Return the foreground ARI and the accuracy of prototypes (TUSK table 2).

    Raises:
        CapabilityError: The model tells no masks.
        InputError: The data have no masks of objects.
    """
    pictures = open_pictures(subject, options.pictures)
    rows = spread(pictures.rows(options.split), options.pictures)
    agreement: list[float] = []
    told: list[tuple[int, Mapping[str, str]]] = []
    names: Counter[str] = Counter()
    objects, psnr = 0, 0.0
    for seen in look(subject, pictures, rows):
        masks, alphas = seen.labels.masks, seen.alphas
        if masks is None:
            raise InputError(
                f"'{subject.data}' has no masks of objects; name data that have, such as "
                f"tetrominoes or shaded-shapes, with --data"
            )
        if alphas is None:
            raise CapabilityError(
                f"'{subject.checkpoint.name}' tells neither alphas nor layers, so it has no masks; "
                f"judge a model that blends keypoints by alpha"
            )
        index = foreground_ari(masks, alphas)
        if index is not None:
            agreement.append(index)
        said = [item.attributes for item in seen.labels.objects]
        for attributes in said:
            names.update(attributes.keys())
        own = owned_objects(alphas[: len(seen.position)], masks)
        told += [
            (int(prototype), said[item])
            for prototype, item in zip(seen.prototype, own, strict=True)
            if 0 <= item < len(said)
        ]
        objects += len(masks)
        psnr += seen.psnr_db / len(rows)
    known = sorted(names) if subject.model.capabilities.prototypes else []
    accuracy = attribute_accuracy(told, known)
    mean = 100.0 * sum(agreement) / len(agreement) if agreement else None
    figures = [
        ("foreground ARI", None if mean is None else round(mean, 2)),
        *((f"{name} told by prototype", round(value, 2)) for name, value in accuracy.items()),
    ]
    return Report(
        f"Discovery: {subject.checkpoint.name} on {len(rows)} pictures of {subject.data}",
        {
            "protocol": "discovery",
            "data": subject.data,
            "split": options.split,
            "pictures": len(rows),
            "objects": objects,
            "keypoints with an object": len(told),
            "prototypes used": len({prototype for prototype, _ in told}),
            "psnr_db": round(psnr, 2),
            "percent": {name: value for name, value in figures if value is not None},
        },
        (
            Table(
                "Figures",
                ("figure", "percent"),
                tuple(figures),
                "ARI over the pixels of objects, mean of the pictures. A keypoint counts where one "
                "object covers most of the pixels in which its alpha is above 0.8; each prototype "
                "stands for the value that it is seen with most often.",
            ),
        ),
    )


PROTOCOL = Protocol("masks against objects, prototypes against attributes", DiscoveryOptions, run)
