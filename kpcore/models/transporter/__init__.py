"""Transporter: object keypoints from feature transport (Kulkarni et al., 2019)."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from kpcore.api import Family, Preset, Recipe, Window
from kpcore.models.transporter.config import TransporterConfig
from kpcore.models.transporter.model import Transporter
from kpcore.models.transporter.objective import phases

_RECIPE = Recipe(
    batch=64,
    learning_rate=1e-3,
    steps=1_000_000,
    epochs=None,
    milestones=tuple(i / 10 for i in range(1, 10)),
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
_FLAT = TransporterConfig(
    widths=(32, 64, 128),
    decoder_widths=(128, 64, 32),
    trunk="pyramid",
    head_widths=(128, 128),
    softmax="joint",
    norm="batch",
    reference_within=250,
)
_SMALL_FLAT = TransporterConfig(
    image_size=64,
    widths=(8, 24, 48),
    decoder_widths=(48, 24, 8),
    trunk="pyramid",
    pyramid_widths=(8, 24, 48, 64),
    pyramid_channels=48,
    head_widths=(48, 48),
    softmax="joint",
    softmax_gain=4.0,
    norm="batch",
    reference_within=50,
)
_COUNTS = (10, 20, 30)

PRESETS = MappingProxyType(
    {
        "default": Preset(
            TransporterConfig(),
            _RECIPE,
            "the authors' demonstration: 128 x 128, 5 keypoints, instance norm",
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
        "tabletop": Preset(
            replace(
                _SMALL_FLAT,
                keypoints=8,
                widths=(16, 32),
                decoder_widths=(48, 24),
                sigma=0.2,
                reference_within=29,
            ),
            _SMALL,
            "64 x 64, 8 keypoints that each move a toy: the robot arm and toys of 'tabletop'",
        ),
        "tiny": Preset(
            TransporterConfig(
                image_size=32,
                keypoints=4,
                widths=(8, 16),
                decoder_widths=(16, 8),
                softmax="joint",
                norm="batch",
                reference_within=8,
            ),
            Recipe(batch=8, learning_rate=2e-3, steps=30, epochs=None, milestones=(), rise=5),
            "32 x 32, 4 keypoints: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "transporter": Family(
            name="transporter",
            title="Transporter",
            paper=(
                "Kulkarni, Gupta, Ionescu, Borgeaud, Reynolds, Zisserman and Mnih, Unsupervised "
                "Learning of Object Keypoints for Perception and Control, NeurIPS 2019, "
                "https://arxiv.org/abs/1906.11883"
            ),
            config=TransporterConfig,
            presets=PRESETS,
            build=Transporter,
            phases=phases,
            window=lambda config: Window(reference_within=config.reference_within),
        ),
    }
)
