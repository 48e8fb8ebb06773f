"""KeyNet: landmarks through conditional image generation (Jakab et al., 2018)."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from kpcore.api import Family, Preset, Recipe, Window
from kpcore.models.keynet.config import KeyNetConfig
from kpcore.models.keynet.model import KeyNet
from kpcore.models.keynet.objective import phases

_RECIPE = Recipe(
    batch=50,
    learning_rate=1e-3,
    steps=3_000_000,
    epochs=None,
    milestones=tuple(i / 30 for i in range(1, 30)),
    decay=0.95,
    adam_eps=1e-8,
)
_TABLE = Recipe(
    batch=32, learning_rate=1e-4, steps=200_000, epochs=None, milestones=(), adam_eps=1e-8
)
_SMALL = Recipe(
    batch=8,
    learning_rate=2e-3,
    steps=1800,
    epochs=None,
    milestones=(0.7, 0.9),
    decay=0.3,
    rise=50,
    adam_eps=1e-8,
)
_BORDER = (10 / 128, 20 / 128)
"""The published loss weighs nothing at the border and rises to its weight over a wider one."""

_FLAT = KeyNetConfig(
    widths=(32, 64, 128),
    renderer_widths=(128, 64, 32),
    trunk="pyramid",
    head_widths=(128, 128),
    softmax="joint",
    reconstruction="mse",
)
_SMALL_FLAT = KeyNetConfig(
    image_size=64,
    widths=(8, 24, 48),
    renderer_widths=(48, 24, 8),
    trunk="pyramid",
    pyramid_widths=(8, 24, 48, 64),
    pyramid_channels=48,
    head_widths=(48, 48),
    softmax="joint",
    softmax_gain=4.0,
    reconstruction="mse",
    reference_within=50,
)
_FACES = KeyNetConfig(
    image_size=32,
    keypoints=30,
    widths=(16, 48),
    renderer_widths=(48, 16),
    head_widths=(48,),
    softmax="joint",
    reconstruction="edges",
    border=_BORDER,
    mirror=True,
)
_COUNTS = (10, 20, 30)

PRESETS = MappingProxyType(
    {
        "default": Preset(
            KeyNetConfig(border=_BORDER),
            _RECIPE,
            "the paper's: 128 x 128, 10 keypoints; perceptual loss",
        ),
        **{
            f"table-{count}": Preset(
                replace(_FLAT, keypoints=count),
                _TABLE,
                f"baseline of Keypoint Pyramids' Table 1: {count} keypoints of a feature pyramid",
            )
            for count in _COUNTS
        },
        **{
            f"small-{count}": Preset(
                replace(_SMALL_FLAT, keypoints=count),
                _SMALL,
                f"table-{count} at 64 x 64 with narrow networks, a departure; minutes on a CPU",
            )
            for count in _COUNTS
        },
        "faces-30": Preset(
            _FACES,
            Recipe(
                batch=16,
                learning_rate=6e-4,
                steps=36_000,
                epochs=None,
                milestones=(0.6, 0.85),
                decay=0.3,
                rise=50,
                adam_eps=1e-8,
            ),
            "32 x 32, 30 keypoints, edges in the loss: photographs of faces in an hour on one core",
        ),
        "tabletop": Preset(
            replace(
                _SMALL_FLAT,
                keypoints=10,
                renderer_widths=(48, 32, 16),
                sigma=0.15,
                reference_within=29,
                residual=True,
            ),
            replace(_SMALL, batch=16, learning_rate=1.5e-3, steps=6000),
            "64 x 64, 10 keypoints of wider maps: the arm and toys of 'tabletop-rearranged'",
        ),
        "tiny": Preset(
            KeyNetConfig(
                image_size=32,
                keypoints=4,
                widths=(8, 16),
                renderer_widths=(16, 8),
                softmax="joint",
                reconstruction="mse",
                reference_within=8,
            ),
            Recipe(batch=8, learning_rate=1e-3, steps=30, epochs=None, milestones=(), rise=5),
            "32 x 32, 4 keypoints: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "keynet": Family(
            name="keynet",
            title="KeyNet",
            paper=(
                "Jakab, Gupta, Bilen and Vedaldi, Unsupervised Learning of Object Landmarks "
                "through Conditional Image Generation, NeurIPS 2018, "
                "https://arxiv.org/abs/1806.07823"
            ),
            config=KeyNetConfig,
            presets=PRESETS,
            build=KeyNet,
            phases=phases,
            window=lambda config: Window(reference_within=config.reference_within),
        ),
    }
)
