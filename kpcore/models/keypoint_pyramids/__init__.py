"""Keypoint Pyramids: keypoints in levels that hang on each other (Qian et al., 2022)."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from kpcore.api import Family, Preset, Recipe, Window
from kpcore.models.keypoint_pyramids.config import PyramidsConfig
from kpcore.models.keypoint_pyramids.model import KeypointPyramids
from kpcore.models.keypoint_pyramids.objective import phases

ABLATIONS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "no-reconstruction": {"combined": "none"},
        "no-transport": {"levelwise": "none"},
        "no-spring": {"spring": 0.0},
        "all-transport": {"combined": "transport"},
        "all-reconstruction": {"levelwise": "points"},
        "unconditioned": {"conditioned": False},
    }
)
"""The ablations of Table 1: the fields that each one changes."""

_RECIPE = Recipe(
    batch=32, learning_rate=1e-4, steps=200_000, epochs=None, milestones=(), adam_eps=1e-8
)
_SHORT = Recipe(
    batch=8,
    learning_rate=2e-3,
    steps=1800,
    epochs=None,
    milestones=(0.7, 0.9),
    decay=0.3,
    rise=50,
    adam_eps=1e-8,
)
_SMALL = PyramidsConfig(
    image_size=64,
    widths=(8, 24, 48, 64),
    channels=48,
    head_widths=(48, 48),
    softmax_gain=4.0,
    appearance_widths=(8, 24, 48),
    renderer_widths=(48, 24, 8),
    level_channels=(96, 48),
    reference_within=50,
)

PRESETS = MappingProxyType(
    {
        "default": Preset(
            PyramidsConfig(), _RECIPE, "the paper's: 128 x 128, 10 + 20 keypoints in two levels"
        ),
        **{
            name: Preset(
                replace(PyramidsConfig(), **fields), _RECIPE, f"ablation of Table 1: {name}"
            )
            for name, fields in ABLATIONS.items()
        },
        "small": Preset(
            _SMALL,
            _SHORT,
            "64 x 64 with narrow networks, a departure; 10 + 20 keypoints, minutes on a CPU",
        ),
        "tabletop": Preset(
            replace(
                _SMALL,
                points=(5, 10),
                renderer_widths=(48, 32, 16),
                sigma=0.15,
                reference_within=29,
                residual=True,
            ),
            replace(_SHORT, batch=16, learning_rate=1.5e-3, steps=3600),
            "64 x 64, 5 + 10 keypoints of wider maps: the arm and toys of 'tabletop-rearranged'",
        ),
        "tiny": Preset(
            PyramidsConfig(
                image_size=32,
                points=(2, 4),
                widths=(8, 8, 16),
                channels=16,
                head_widths=(16,),
                appearance_widths=(8, 16),
                renderer_widths=(16, 8),
                level_channels=(16, 8),
                reference_within=8,
            ),
            Recipe(batch=8, learning_rate=1e-3, steps=30, epochs=None, milestones=(), rise=5),
            "32 x 32, 2 + 4 keypoints: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "keypoint-pyramids": Family(
            name="keypoint-pyramids",
            title="Keypoint Pyramids",
            paper=(
                "Qian, Panagopoulos and Jayaraman, Discovering Deformable Keypoint Pyramids, "
                "ECCV 2022"
            ),
            config=PyramidsConfig,
            presets=PRESETS,
            build=KeypointPyramids,
            phases=phases,
            window=lambda config: Window(reference_within=config.reference_within),
        ),
    }
)
