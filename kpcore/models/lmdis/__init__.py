"""Landmarks as structural representations: Zhang et al., CVPR 2018."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from kpcore.api import STILL, Family, Preset, Recipe, Window
from kpcore.models.lmdis.config import LmdisConfig
from kpcore.models.lmdis.generator import GeneratorConfig, LandmarkGenerator
from kpcore.models.lmdis.generator_objective import generator_phases
from kpcore.models.lmdis.model import Lmdis
from kpcore.models.lmdis.objective import phases

_PAPER = (
    "Zhang, Guo, Jin, Luo, He and Lee, Unsupervised Discovery of Object Landmarks as Structural "
    "Representations, CVPR 2018, https://arxiv.org/abs/1804.04412"
)
_RECIPE = Recipe(
    batch=16,
    learning_rate=1e-3,
    steps=300_000,
    epochs=None,
    milestones=(1 / 3, 2 / 3),
    decay=0.1,
    adam_eps=1e-8,
)

_SMALL = LmdisConfig(
    image_size=64,
    padded_size=64,
    width=8,
    shared=16,
    stem=True,
    confidence_gain=6.0,
    separation_edge=0.07,
    decoder_sigmas_edge=(0.0884, 0.1768, 0.3536),
)
_SMALL_RECIPE = Recipe(
    batch=16,
    learning_rate=1.2e-3,
    steps=4_000,
    epochs=None,
    milestones=(0.6, 0.85),
    decay=0.3,
    rise=100,
    adam_eps=1e-8,
)

PRESETS = MappingProxyType(
    {
        "default": Preset(LmdisConfig(), _RECIPE, "CelebA, 80 x 80, 10 landmarks"),
        "celeba-30": Preset(
            LmdisConfig(landmarks=30, separation=10.0, separation_edge=0.04),
            Recipe(
                batch=8,
                learning_rate=1e-3,
                steps=300_000,
                epochs=None,
                milestones=(1 / 3, 2 / 3),
                decay=0.1,
                adam_eps=1e-8,
            ),
            "CelebA, 80 x 80, 30 landmarks",
        ),
        "cat": Preset(
            LmdisConfig(reconstruction=1e-4), _RECIPE, "cat heads, 80 x 80, 10 landmarks"
        ),
        "car": Preset(
            LmdisConfig(
                image_size=64,
                reconstruction=1e-3,
                reconstruction_rise=(1 / 3, 5 / 12),
                separation=200.0,
            ),
            Recipe(
                batch=16,
                learning_rate=1e-3,
                steps=120_000,
                epochs=None,
                milestones=(1 / 3, 2 / 3),
                decay=0.1,
                adam_eps=1e-8,
            ),
            "profile cars, 64 x 64, 10 landmarks",
        ),
        "human": Preset(
            LmdisConfig(
                image_size=128,
                padded_size=192,
                landmarks=16,
                stem=True,
                decoder_levels=5,
                separation_edge=0.06,
                flow_stride=5,
            ),
            Recipe(
                batch=8,
                learning_rate=1e-3,
                steps=300_000,
                epochs=None,
                milestones=(1 / 3, 2 / 3),
                decay=0.1,
                adam_eps=1e-8,
            ),
            "people on video, 128 x 128, 16 landmarks, optical flow as a warp",
        ),
        "mnist": Preset(
            LmdisConfig(
                image_size=28,
                padded_size=56,
                landmarks=7,
                descriptor=0,
                decoder_levels=2,
            ),
            _RECIPE,
            "digits, 28 x 28, 7 landmarks without descriptors",
        ),
        "small": Preset(
            _SMALL,
            _SMALL_RECIPE,
            "64 x 64, 10 landmarks, narrow: faces in under an hour on one core; departs",
        ),
        "faces-30": Preset(
            replace(
                _SMALL,
                landmarks=30,
                width=12,
                separation_edge=0.05,
                reconstructed=4,
                translation_edge=0.08,
                log_scale=0.12,
                mirror=True,
            ),
            replace(_SMALL_RECIPE, learning_rate=1.5e-3, steps=6_000),
            "64 x 64, 30 landmarks: photographs of faces in an hour on one core; departs",
        ),
        "cartoon": Preset(
            replace(
                _SMALL,
                shared=24,
                decoder_sigmas_edge=(0.03, 0.06, 0.12, 0.24),
                reconstruction=1.0,
                reconstruction_rise=(),
                painter_norm="kept",
                landmarks_first=0.25,
                brightness=0.0,
                contrast=(1.0, 1.0),
            ),
            replace(_SMALL_RECIPE, learning_rate=2e-3, steps=5_000, milestones=(0.75, 0.92)),
            "64 x 64, 10 landmarks, then their pictures: drawn faces on one core; departs",
        ),
        "tiny": Preset(
            LmdisConfig(
                image_size=32,
                padded_size=48,
                landmarks=4,
                descriptor=4,
                shared=8,
                width=4,
                decoder_levels=1,
                decoder_sigmas_edge=(0.0625, 0.125),
                reconstruction=10.0,
                reconstruction_rise=(),
            ),
            Recipe(
                batch=8, learning_rate=3e-3, steps=30, epochs=None, milestones=(), adam_eps=1e-8
            ),
            "32 x 32, 4 landmarks: seconds on a CPU, for tests",
        ),
    }
)

_GAME = Recipe(
    batch=16, learning_rate=1e-4, steps=300_000, epochs=None, milestones=(0.5,), adam_eps=1e-8
)

GENERATOR_PRESETS = MappingProxyType(
    {
        "default": Preset(GeneratorConfig(), _GAME, "of the landmark model's size"),
        "small": Preset(
            GeneratorConfig(width=24),
            Recipe(
                batch=16,
                learning_rate=4e-4,
                steps=12_000,
                epochs=None,
                milestones=(0.7,),
                adam_eps=1e-8,
            ),
            "narrow; departs",
        ),
        "tiny": Preset(
            GeneratorConfig(noise=8, width=8),
            Recipe(
                batch=8, learning_rate=3e-3, steps=30, epochs=None, milestones=(), adam_eps=1e-8
            ),
            "narrowest: seconds on a CPU, for tests",
        ),
    }
)


def _window(config: LmdisConfig) -> Window:
    """Three frames, whose flow is joined, where flow is a warp (appendix C.1)."""
    return Window(frames=3, stride=config.flow_stride) if config.flow_stride else STILL


FAMILIES = MappingProxyType(
    {
        "lmdis": Family(
            name="lmdis",
            title="LMDIS",
            paper=_PAPER,
            config=LmdisConfig,
            presets=PRESETS,
            build=Lmdis,
            phases=phases,
            window=_window,
        ),
        "lmdis-generator": Family(
            name="lmdis-generator",
            title="LMDIS, generator with landmarks",
            paper=_PAPER + ", appendix G.5",
            config=GeneratorConfig,
            presets=GENERATOR_PRESETS,
            build=LandmarkGenerator,
            phases=generator_phases,
            needs=("renderer",),
        ),
    }
)
