"""The protocol "actions": keypoints that are joints tell actions, those that stand still do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kpcore.data.synthetic.skeleton import ACTIONS
from kpcore.data.synthetic.stick_figures import FRAMES, StickFigures
from kpcore.errors import InputError
from kpcore.evaluation import pose, protocols
from kpcore.models.keypoint_pyramids import PRESETS
from kpcore.models.keypoint_pyramids.model import KeypointPyramids

QUICK = {"clips": 66, "frames": 8, "steps": 60, "hidden": 24, "rate": 5e-3}


def judged(**options):
    model = KeypointPyramids(PRESETS["tiny"].config).eval()
    subject = protocols.Subject(model, Path("p.safetensors"), "stick-figures")
    protocol = protocols.get("actions")
    return protocol.run(subject, protocol.options(**options))


def test_moving_keypoints_tell_actions_and_still_ones_do_not(monkeypatch: pytest.MonkeyPatch):
    def watched(model, seed: int, videos: int, frames: int) -> pose.Watched:
        """Level 1 are five points that never move, level 2 the true joints."""
        truths = [StickFigures().truth(seed, video, FRAMES) for video in range(videos)]
        joints = np.stack([t.joints[[FRAMES * i // frames for i in range(frames)]] for t in truths])
        points = torch.cat([torch.zeros(videos, frames, 5, 2), torch.from_numpy(joints)], 2)
        action = torch.tensor([truth.action for truth in truths])
        return pose.Watched(points, joints, action, (0,) * 5 + (1,) * 17)

    monkeypatch.setattr(pose, "watch", watched)
    report = judged(**QUICK)
    told = report.facts["percent"]
    assert isinstance(told, dict)
    assert set(told) == {"level 1", "level 2", "all keypoints", "true joints"}
    assert told["level 1"] == pytest.approx(100.0 / len(ACTIONS), abs=0.01)
    assert told["level 2"] == told["true joints"]
    assert told["true joints"] > 30.0
    assert report.facts["chance_percent"] == pytest.approx(100.0 / len(ACTIONS))
    whole, each = report.tables
    assert [row[1] for row in whole.rows] == [5, 17, 22, 17, 0]
    assert [row[:2] for row in each.rows] == [(name, 6) for name in ACTIONS]
    mean = sum(row[2] for row in each.rows) / len(ACTIONS)
    assert mean == pytest.approx(told["all keypoints"])


def test_an_untrained_model_is_judged_from_its_pictures():
    report = judged(clips=11, frames=2, steps=2, hidden=4)
    assert report.facts["clips"] == 11


def test_what_cannot_be_judged_is_refused():
    protocol = protocols.get("actions")
    with pytest.raises(InputError, match="frames is 0"):
        replace(protocol.options(), frames=0)
    model = KeypointPyramids(PRESETS["tiny"].config).eval()
    subject = protocols.Subject(model, Path("p.safetensors"), "traffic")
    with pytest.raises(InputError, match="stick-figures"):
        protocol.run(subject, protocol.options())
