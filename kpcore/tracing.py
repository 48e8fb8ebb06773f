"""Run a network as one call, so that another thread's Python does not hold it up.

A network in eager mode comes back to Python after each of its operations, and waits there whenever
another thread holds the interpreter's lock; beside a busy window that doubles its time. A traced
network is handed over once and runs to its end without the lock.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from kpcore.drafting import is_drafting

Function = Callable[..., tuple[Tensor, ...]]

_calls: WeakKeyDictionary[nn.Module, dict[object, Function]] = WeakKeyDictionary()
"""What each network was traced to, by function and kind of inputs."""

_SETTLING = 3
"""The first runs of a trace watch its shapes and are slower; the graph stays as it is after."""


def one_call(network: nn.Module, function: Function, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Return `function(*inputs)`, computed as one call where it is of one picture on a CPU.

    Args:
        network: What the function computes with. Its weights stay as they are, as those of an
            inference copy do; the call is kept as long as it lives.
        function: As for `as_one_call`; the same one by name does the same with this network.
        inputs: The first one has the batch.
    """
    first = inputs[0]
    if len(first) != 1 or first.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return function(*inputs)
    kind = (function.__qualname__, is_drafting(), *((value.shape, value.dtype) for value in inputs))
    known = _calls.setdefault(network, {})
    if kind not in known:
        known[kind] = as_one_call(function, *inputs)
    return known[kind](*inputs)


def as_one_call(function: Function, *examples: Tensor) -> Function:
    """Return a pure function of tensors as one call without Python.

    The result computes the same numbers for tensors of the examples' shapes, kind and device, and
    must not be given others.

    Args:
        function: Without random numbers or decisions by value, of weights that want no gradients.
        examples: Inputs to follow it with.
    """
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        # torch advises tracing for export only, and warns of each shape that is taken as fixed.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter(
            "ignore",
            torch.jit.TracerWarning,  # pyright: ignore[reportPrivateImportUsage]
        )
        plain = tuple(example.detach().clone() for example in examples)
        followed = [function]

        def call(*inputs: Tensor) -> tuple[Tensor, ...]:
            return followed[0](*inputs)

        traced = cast("Function", torch.jit.trace(call, plain, check_trace=False))
        followed.clear()  # a trace keeps what it was made of, and with it a whole model
        for _ in range(_SETTLING):
            traced(*plain)
    return traced
