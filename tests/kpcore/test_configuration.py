from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from kpcore.configuration import from_plain, to_plain
from kpcore.errors import InputError


@dataclass(frozen=True, slots=True)
class Inner:
    sigma: float = 0.1

    def __post_init__(self) -> None:
        if self.sigma < 0:
            raise InputError(f"sigma is {self.sigma:g}; use 0 or more")


@dataclass(frozen=True, slots=True)
class Outer:
    prior: Literal["ssm", "random"] = "ssm"
    channels: tuple[int, ...] = (32, 64)
    inner: Inner = field(default_factory=Inner)
    limit: int | None = None


def test_round_trip() -> None:
    value = Outer("random", (1, 2, 3), Inner(0.5), 4)
    assert from_plain(Outer, to_plain(value)) == value


def test_missing_fields_take_defaults() -> None:
    assert from_plain(Outer, {"limit": 3}) == Outer(limit=3)


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"chanels": [1]}, "Did you mean 'channels'"),
        ({"prior": "other"}, "prior"),
        ({"prior": "other"}, "not a valid Outer: prior should be one of ssm, random$"),
        ({"channels": "x"}, "channels"),
        ({"channels": [1, "wide"]}, r"channels\[1\] should be int .*'wide'"),
        ({"inner": {"sigma": -1}}, "not a valid Outer: inner sigma is -1; use 0 or more$"),
        ({"inner": {"sigmo": 1}}, "sigmo"),
        ([1], "Outer"),
    ],
)
def test_wrong_fields_get_a_sentence(plain: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_plain(Outer, plain)
