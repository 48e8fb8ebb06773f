"""Memory that is freed is kept."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys, threading
from kpcore.allocation import keep_freed_memory
kept = sys.argv[1] == "kept" and keep_freed_memory()
import torch
torch.set_num_threads(1)

def work():
    return len([torch.ones(100_000) for _ in range(100)])

def count():
    for _ in range(5):
        work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        work()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=count)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_maps_made_again_fault_in_no_pages_again() -> None:
    def faults(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults("kept") < faults("left") / 5
