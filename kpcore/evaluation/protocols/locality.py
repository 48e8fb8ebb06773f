"""Protocol "locality": does moving a particle change the picture there and nowhere else?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from kpcore.data.catalog import open_source
from kpcore.data.source import ImageSource
from kpcore.evaluation import locality
from kpcore.evaluation.episodes import held_out_of, stride_of
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.protocols.landmarks import framing_of
from kpcore.evaluation.report import Report, Table


@dataclass(frozen=True, slots=True)
class LocalityOptions:
    """Choices of the protocol.

    Attributes:
        pictures: pictures to measure on, spread over what training held out; of other files, over
            all.
        moves: particles moved in each, one at a time.
        seed: of the particles chosen and the ways they are moved.
    """

    pictures: int = 64
    moves: int = 4
    seed: int = 0


def run(subject: Subject, options: LocalityOptions) -> Report:
    """Return PSNR, and the change near moved particles beside that elsewhere."""
    source = _never_seen(subject)
    device = next(subject.model.parameters()).device
    spread = torch.linspace(0, len(source) - 1, options.pictures).round().int().unique().tolist()
    pictures = source.images(spread).to(device).float() / 255.0
    figures = locality.measure(subject.model, pictures, options.moves, options.seed)
    rows = (
        ("PSNR, dB", figures.psnr_db),
        (f"change within {locality.NEAR} of the old or new place, of 255", figures.near),
        (f"change farther than {locality.FAR} from both, of 255", figures.elsewhere),
        ("ratio", figures.ratio),
    )
    return Report(
        f"Locality: {subject.checkpoint.name} on {len(pictures)} pictures of {subject.data}",
        {
            "protocol": "locality",
            "data": subject.data,
            "moves": figures.moves,
            "psnr_db": figures.psnr_db,
            "near": figures.near,
            "elsewhere": figures.elsewhere,
            "ratio": figures.ratio,
        },
        (Table("Figures", ("figure", "value"), rows, "Distances: picture edges lie at +-1."),),
    )


def _never_seen(subject: Subject) -> ImageSource:
    """Return the subject's data without what it learned from, framed and strided as in training."""
    size, rule = subject.model.capabilities.image_size, framing_of(subject)
    stride = stride_of(subject.trained_on)
    if not Path(subject.data).exists():
        return open_source(subject.data, size, split="held-out", stride=stride, framing=rule)
    held_out = held_out_of(subject.data, subject.trained_on)
    return open_source(
        subject.data,
        size,
        split="train" if held_out is None else "held-out",
        held_out=0 if held_out is None else held_out,
        stride=stride,
        framing=rule,
    )


PROTOCOL = Protocol("how local the change is that a moved particle makes", LocalityOptions, run)
