"""Frozen configuration dataclasses to and from plain JSON values."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

from cattrs import ClassValidationError, Converter, transform_error

from kpcore.errors import InputError, nearest

T = TypeVar("T")


@cache
def _converter() -> Converter:
    return Converter(forbid_extra_keys=True)


def to_plain(config: object) -> dict[str, Any]:
    """Return a configuration as JSON values."""
    return _converter().unstructure(config)


def from_plain(kind: type[T], plain: object) -> T:
    """Return the configuration of type `kind` held by JSON values.

    Missing fields take their defaults, so that older files open.

    Raises:
        InputError: A field is unknown (names the nearest) or has the wrong type.
    """
    if is_dataclass(kind):
        if not isinstance(plain, dict):
            raise InputError(f"{kind.__name__} is a table of fields; got {type(plain).__name__}")
        known = [field.name for field in fields(kind)]
        for key in plain:
            if key not in known:
                raise InputError(
                    f"{kind.__name__} has no field '{key}'; known: {', '.join(known)}."
                    f"{nearest(str(key), known)}"
                )
    try:
        return _converter().structure(plain, kind)
    except ClassValidationError as error:
        reasons = "; ".join(transform_error(error))
        raise InputError(f"not a valid {kind.__name__}: {reasons}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"not a valid {kind.__name__}: {error}") from error
