"""Protocol "digits": are MNIST-Hard's digits found, and do prototypes stand for classes?"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from kpcore.errors import InputError
from kpcore.evaluation.mnist_hard import digit_figures, matched
from kpcore.evaluation.plot import Matrix
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.protocols.landmarks import open_pictures, spread
from kpcore.evaluation.protocols.looking import look
from kpcore.evaluation.report import Report, Table, bars

_CLASSES = 10


@dataclass(frozen=True, slots=True)
class DigitOptions:
    """Choices of the protocol.

    Attributes:
        split: pictures to measure on.
        pictures: most pictures of the split, spread over it; the paper has 50,000.
    """

    split: str = "test"
    pictures: int = 2_000

    def __post_init__(self) -> None:
        if self.pictures < 1:
            raise InputError(f"pictures is {self.pictures}; use at least 1")


def run(subject: Subject, options: DigitOptions) -> Report:
    """Return localisation and classification (TUSK table 1).

    Raises:
        InputError: The data do not tell digits.
    """
    pictures = open_pictures(subject, options.pictures)
    rows = spread(pictures.rows(options.split), options.pictures)
    table = np.zeros((max(1, subject.model.capabilities.prototypes), _CLASSES), int)
    digits, psnr = 0, 0.0
    for seen in look(subject, pictures, rows):
        objects = seen.labels.objects
        if not all(item.position and "digit" in item.attributes for item in objects):
            raise InputError(
                f"the objects of '{subject.data}' are no digits with places; name mnist-hard, or "
                f"mnist-hard:FOLDER with MNIST's files, with --data"
            )
        centres = np.array([item.position for item in objects], float).reshape(-1, 2)
        for item, keypoint in zip(objects, matched(seen.position, centres), strict=True):
            if keypoint >= 0:
                table[seen.prototype[keypoint], int(item.attributes["digit"])] += 1
        digits += len(objects)
        psnr += seen.psnr_db / len(rows)
    figures = asdict(digit_figures(table, digits))
    kinds = tuple(str(number) for number in range(_CLASSES))
    whole = Table(
        "Figures",
        ("figure", "percent"),
        tuple((name, round(value, 2)) for name, value in figures.items()),
        "20 x 20 of 80 pixels around each keypoint must overlap the digit's box by more "
        "than half. Without 'bipartite', several prototypes may stand for one digit.",
    )
    found = Matrix(
        "Digits found",
        "prototype",
        tuple(str(number) for number in range(len(table))),
        "digit",
        kinds,
        table.tolist(),
    )
    return Report(
        f"Digits: {subject.checkpoint.name} on {len(rows)} pictures of {subject.data}",
        {
            "protocol": "digits",
            "data": subject.data,
            "split": options.split,
            "pictures": len(rows),
            "digits": digits,
            "psnr_db": round(psnr, 2),
            "percent": figures,
        },
        (
            whole,
            Table(
                "Digits found, by prototype",
                ("prototype", *kinds),
                tuple((number, *map(int, row)) for number, row in enumerate(table)),
            ),
        ),
        (bars(whole, "percent"), found),
    )


PROTOCOL = Protocol("digits found and told apart (MNIST-Hard)", DigitOptions, run)
