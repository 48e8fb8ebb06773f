from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from kpcore import registry
from kpcore.api import Encoding, Image
from kpcore.errors import CapabilityError, InputError
from kpcore.evaluation.counting import bound, count
from kpcore.evaluation.protocols import Subject
from kpcore.evaluation.protocols.counting import CountOptions, run
from kpcore.latents import Latents, Topology

LAVAE = registry.get("lavae")


class Counter(LAVAE.build):  # type: ignore[name-defined,misc]
    """Counts what the red channel's first pixel says."""

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        told = (image[:, 0, 0, 0] * 10).round()
        presence = (torch.arange(4) < told[:, None]).float()
        return Encoding(Latents(torch.zeros(len(image), 4, 2), Topology.flat(4), presence=presence))


def saying(*numbers: int) -> torch.Tensor:
    image = torch.zeros(len(numbers), 3, 32, 32)
    image[:, 0, 0, 0] = torch.tensor(numbers) / 10.0
    return image


def test_counts_are_compared_picture_by_picture() -> None:
    model = Counter(LAVAE.presets["tiny"].config)
    figures = count(model, [(saying(0, 1, 2, 3), [0, 1, 1, 3]), (saying(1, 2), [2, 2])])
    assert figures.pictures == 6
    assert figures.accuracy == pytest.approx(100 * 4 / 6)
    assert figures.by_number == pytest.approx({0: 100.0, 1: 50.0, 2: 50.0, 3: 100.0})
    assert figures.too_many == pytest.approx(100 / 6)


def test_what_is_always_present_is_not_counted() -> None:
    model = registry.get("lmdis").build(registry.get("lmdis").presets["tiny"].config)
    with pytest.raises(CapabilityError, match="always present"):
        count(model, [])


class Weighted:
    """Weights whose mean is known."""

    def log_weights(self, image: torch.Tensor, samples: int) -> torch.Tensor:
        weight = torch.tensor([1.0, 3.0]).repeat(samples // 2)
        return weight.log()[:, None].expand(-1, len(image)) - 7.0


def test_the_bound_is_the_log_of_the_mean_weight() -> None:
    figures = bound(Weighted(), [torch.zeros(5, 3, 2, 2)], 100)
    assert figures.nats == pytest.approx(7.0 - math.log(2.0))
    assert figures.error == pytest.approx(0.0, abs=1e-6)
    assert figures.pictures == 5


def test_the_protocol_reports_counts_and_nats() -> None:
    torch.manual_seed(0)
    model = LAVAE.build(LAVAE.presets["tiny"].config).eval()
    subject = Subject(model, Path("m.safetensors"), "multi-dsprites")
    report = run(subject, CountOptions(pictures=12, bound_pictures=4, samples=3))
    assert report.facts["pictures"] == 12
    assert isinstance(report.facts["nats"], float)
    with pytest.raises(InputError, match="multi-dsprites"):
        run(Subject(model, Path("m"), "nothing.mp4"), CountOptions())


def test_a_model_that_only_explains_is_judged_by_its_bound() -> None:
    family = registry.get("lavae-baseline")
    torch.manual_seed(0)
    model = family.build(family.presets["tiny"].config).eval()
    subject = Subject(model, Path("m.safetensors"), "multi-dsprites")
    report = run(subject, CountOptions(pictures=12, bound_pictures=4, samples=3))
    assert "count_accuracy" not in report.facts
    assert isinstance(report.facts["nats"], float)
    assert report.facts["bound_pictures"] == 4
