from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from kpcore.errors import DeviceError
from kpcore.training.device import accelerator_for, machine, seed_step, settle_precision


def _draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_noise_is_a_function_of_seed_step_and_process():
    seed_step(1, 2, 0)
    first = _draw()
    for other in ((2, 2, 0), (1, 3, 0), (1, 2, 1)):
        seed_step(*other)
        assert not set(_draw()) & set(first)
    seed_step(1, 2, 0)
    assert _draw() == first


def test_absent_devices_are_said():
    for name in ("cuda:99", "tpu"):
        with pytest.raises(DeviceError, match=name):
            accelerator_for(name, "float32")


def test_precision():
    cpu = torch.device("cpu")
    assert settle_precision("auto", cpu) == "float32"
    assert settle_precision("bf16", cpu) == "bf16"


def test_machine_is_json():
    assert machine()["cores"] >= 1
