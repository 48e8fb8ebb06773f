"""A toy family in the registry, for what should work with any family."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Register the family "toy"; return its module."""
    from kpcore import registry

    path = Path(__file__).parents[1] / "toy_family.py"
    spec = importlib.util.spec_from_file_location("toy_family", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "toy_family", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(registry, "FAMILIES", {**registry.FAMILIES, "toy": "toy_family"})
    return module
