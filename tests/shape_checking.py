"""Run-time check of the array shapes that signatures promise, for the test suite only.

jaxtyping's import hook applies `checked` to every function of kpcore. Only shape annotations are
looked at; other types are pyright's business. The check runs when the call has returned, so that a
function which refuses bad input with its own error (what a user sees) is tested with that error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def _mentions_shape(hint: object) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_mentions_shape(part) for part in get_args(hint))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with its shape annotations enforced, and no others.

    jaxtyping hands over two stand-ins per function: one for the arguments alone, whose return
    annotation is `Any` and which runs before the call, and one for arguments and result, which
    runs after it. The first is left unchecked.
    """
    hints = function.__annotations__
    if hints.get("return") is Any:
        return function
    shapes = {name: hint for name, hint in hints.items() if _mentions_shape(hint)}
    if not shapes:
        return function
    function.__annotations__ = shapes
    return _check(function)
