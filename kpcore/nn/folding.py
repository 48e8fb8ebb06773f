"""Inference copies of networks: the same numbers from fewer and larger operations."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from typing import Generic, TypeVar, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from kpcore.nn.blocks import UpCNN
from kpcore.nn.doubling import merge_doublings, merge_into_convolutions

M = TypeVar("M", bound=nn.Module)
F = TypeVar("F", bound=nn.Module)


def fold(module: M) -> M:
    """Return a copy in eval mode whose batch norms are part of the layers before them.

    Bilinear doublings become part of the convolutions after them, and weights lie channels last.
    The copy shares nothing with the module and cannot be trained.
    """
    with torch.inference_mode(False), torch.no_grad():
        copy = deepcopy(module).eval().requires_grad_(False)
        for part in copy.modules():
            if isinstance(part, nn.Sequential):
                _fold_chain(part)
        for part in list(copy.modules()):
            if isinstance(part, nn.Sequential):
                merge_into_convolutions(part)
            for name, child in part.named_children():
                if isinstance(child, UpCNN):
                    setattr(part, name, merge_doublings(child))
        return copy.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _fold_chain(layers: nn.Sequential) -> None:
    """Fold each batch norm of a chain into the layer before it and leave nothing in its place."""
    names = list(layers._modules)
    for before, name in pairwise(names):
        layer, norm = layers._modules[before], layers._modules[name]
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layers._modules[before] = fuse_conv_bn_eval(layer, norm)
        elif isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
            layers._modules[before] = fuse_linear_bn_eval(layer, norm)
        else:
            continue
        layers._modules[name] = nn.Identity()


class InferenceCopy(Generic[M, F]):
    """Keeps the folded copy of a module, and makes it anew when the module's weights changed."""

    def __init__(self, module: M, make: Callable[[M], F] | None = None) -> None:
        """Watch a module.

        Args:
            module: What is copied.
            make: Makes the copy; None is `fold`.
        """
        self._module = module
        self._make = make or cast("Callable[[M], F]", fold)
        # a walk through all modules takes longer than some decodes' Python together
        self._held = [
            held for part in module.modules() for held in (part._parameters, part._buffers) if held
        ]
        self._stamp: tuple[tuple[int, int], ...] = ()
        self._copy: F | None = None

    def __call__(self) -> F:
        """Return the copy of the module as it is now."""
        stamp = tuple(
            (value.data_ptr(), 0 if value.is_inference() else value._version)
            for held in self._held
            for value in held.values()
            if value is not None
        )
        if self._copy is None or stamp != self._stamp:
            with torch.inference_mode(False), torch.no_grad():
                self._copy, self._stamp = self._make(self._module), stamp
        return self._copy
