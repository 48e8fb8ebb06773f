"""Frozen configuration dataclasses to and from plain JSON values."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from cattrs import ClassValidationError, Converter, transform_error

from kpcore.errors import InputError, nearest

T = TypeVar("T")


@cache
def _converter() -> Converter:
    return Converter(forbid_extra_keys=True)


def _reason(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return "is missing"
    if get_origin(kind) is Literal:
        return f"should be one of {', '.join(map(str, get_args(kind)))}"
    if isinstance(error, ValueError | TypeError) and kind is not None:
        return f"should be {getattr(kind, '__name__', kind)} ({error})"
    return str(error)


def _placed(reason: str, path: str) -> str:
    """Return the reason with the field that it is about, if it is about one."""
    return f"{path.removeprefix('.')} {reason}" if path else reason


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
        told = transform_error(error, path="", format_exception=_reason)
        reasons = "; ".join(_placed(*reason.rsplit(" @ ", 1)) for reason in told)
        raise InputError(f"not a valid {kind.__name__}: {reasons}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"not a valid {kind.__name__}: {error}") from error


def override(config: Any, changes: Sequence[str]) -> Any:
    """Return a configuration with "field=value" changes, as users write them.

    Raises:
        InputError: A field is unknown (names the nearest) or a value does not fit.
    """
    known = [field.name for field in fields(config)]
    plain = to_plain(config)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in known:
            raise InputError(
                f"'--set {change}' is not a known field=value; the fields of "
                f"{type(config).__name__} are {', '.join(known)}.{nearest(name, known)}"
            )
        plain[name] = _value(text)
    return from_plain(type(config), plain)


def _value(text: str) -> Any:
    """Return what a user wrote: a value in JSON or Python, else the bare word."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text
