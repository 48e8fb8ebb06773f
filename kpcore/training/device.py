"""Where a run computes: device, precision, threads, processes, noise."""

from __future__ import annotations

import os
import platform
import random
import sys
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import nn

import kpcore
from kpcore.api import KeypointModel
from kpcore.checkpoint import find_device
from kpcore.errors import DeviceError, InputError
from kpcore.threads import cores_allowed
from kpcore.training.config import Precision


def settle_precision(asked: Precision, device: torch.device) -> Precision:
    """Return "bf16" or "float32": bf16 by choice, or on CUDA where the hardware has it."""
    if asked == "auto":
        able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if able else "float32"
    return asked


def accelerator_for(device: str, precision: Precision) -> Accelerator:
    """Return what places modules and joins the processes of `accelerate launch`.

    Raises:
        DeviceError: The device is absent.
    """
    chosen = find_device(device)
    if chosen.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        if chosen.index is not None and "LOCAL_RANK" not in os.environ:
            torch.cuda.set_device(chosen)
    accelerator = Accelerator(
        cpu=chosen.type == "cpu",
        mixed_precision="bf16" if precision == "bf16" else "no",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if accelerator.device.type != chosen.type:
        raise DeviceError(
            f"'{device}' was asked for, but this launch computes on {accelerator.device.type}; "
            f"leave out --device or start without 'accelerate launch'"
        )
    return accelerator


def settle_threads(asked: int) -> int:
    """Set and return torch's CPU threads: `asked`, or for 0 all cores this process may use.

    Raises:
        InputError: Fewer than 0 are asked for.
    """
    if asked < 0:
        raise InputError(f"threads is {asked}; use 1 or more, or 0 for all cores")
    if not asked:
        asked = min(torch.get_num_threads(), cores_allowed())
    torch.set_num_threads(asked)
    return asked


def place(model: KeypointModel, accelerator: Accelerator) -> KeypointModel:
    """Return the model on its device, its normalisation joined over the processes."""
    if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
    model = model.to(accelerator.device)
    if channels_last(accelerator.device):
        model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return model


def channels_last(device: torch.device) -> bool:
    """Return whether convolutions are faster with channels last: a fifth less time on a CPU."""
    return device.type in ("cpu", "cuda")


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Set all noise of one step: a pure function, so that a resumed run draws the same."""
    words = np.random.SeedSequence([seed, step, rank]).generate_state(2)
    random.seed(int(words[0]))
    np.random.seed(int(words[0]))
    torch.manual_seed((int(words[0]) << 31) ^ int(words[1]))


def machine() -> dict[str, Any]:
    """Return what computes, for records: system, processor, cores, CUDA devices."""
    cuda = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "cuda": cuda,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions that made a run."""
    return {
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "torch": torch.__version__,
        "kpcore": kpcore.__version__,
    }
