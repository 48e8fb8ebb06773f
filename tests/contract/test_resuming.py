"""Every family's run that was cut off goes on as if it had not been, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kpcore.training import launch
from kpcore.training.config import DataChoice, TrainRequest
from kpcore.training.events import Event, Metrics
from kpcore.training.trainer import Trainer

RUNS = {
    "dlp-masked": (),
    "dlp-object": (),
    "dlp-compact": (),
    "keynet": ("reconstruction=edges",),
    "keypoint-pyramids": (),
    "lavae": (),
    "lmdis": ("landmarks_first=0.5", "mirror=true"),
    "transporter": (),
    "tusk": ("memory=2", "prototype_steps=2"),
}
"""With such settings as keep something from step to step."""


class _Cut(BaseException):
    """As sudden as the end of a process."""


def _cut(event: Event) -> None:
    if isinstance(event, Metrics) and event.step == 5:
        raise _Cut


@pytest.mark.parametrize("family", RUNS)
def test_a_run_cut_off_ends_as_a_straight_one(tmp_path: Path, family: str) -> None:
    request = TrainRequest(
        family=family,
        data=DataChoice("bouncing", pool=64),
        preset="tiny",
        steps=8,
        batch=4,
        device="cpu",
        threads=1,
        snapshot_every=100,
        checkpoint_every=4,
        overrides=RUNS[family],
    )
    Trainer(launch.start(request, tmp_path / "straight")).fit()
    with pytest.raises(_Cut):
        Trainer(launch.start(request, tmp_path / "parts"), [_cut]).fit()
    Trainer(launch.resume(tmp_path / "parts")).fit()
    straight, parts = (
        load_file(tmp_path / run / "model.safetensors") for run in ("straight", "parts")
    )
    assert straight.keys() == parts.keys()
    differing = [name for name in straight if not torch.equal(straight[name], parts[name])]
    assert differing == []
