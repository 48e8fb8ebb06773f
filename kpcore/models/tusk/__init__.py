"""Task-agnostic unsupervised keypoints: Jin et al., NeurIPS 2022."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from kpcore.api import Family, Preset, Recipe
from kpcore.models.tusk.config import TuskConfig
from kpcore.models.tusk.model import Tusk
from kpcore.models.tusk.objective import phases

_CYCLE = 9
"""Steps of a cycle: one of the networks, eight of the prototypes."""


def _recipe(batch: int, cycles: int, rate: float = 1e-3) -> Recipe:
    return Recipe(
        batch=batch,
        learning_rate=rate,
        steps=_CYCLE * cycles,
        epochs=None,
        milestones=(),
        adam_eps=1e-8,
    )


_SMALL = Recipe(
    batch=8,
    learning_rate=3e-3,
    steps=2 * 5_000,
    epochs=None,
    milestones=(0.7, 0.9),
    decay=0.3,
    adam_eps=1e-8,
)
"""Of the narrow presets: steps of the networks and of the prototypes in turns."""


_CLEVR = TuskConfig(
    image_size=112,
    keypoints=6,
    prototypes=48,
    window=21,
    blend="alpha",
    warp_scale=(0.95, 0.02),
    warp_bend=0.02,
    warp_shift=0.05,
    warp_turn=0.1,
    border="reflection",
)

PRESETS = MappingProxyType(
    {
        "default": Preset(
            TuskConfig(), _recipe(40, 300_000), "MNIST-Hard, 80 x 80, 9 keypoints, 10 prototypes"
        ),
        "clevr6": Preset(
            _CLEVR, _recipe(64, 300_000), "CLEVR6, 112 x 112, 6 keypoints, 48 prototypes, alpha"
        ),
        "tetrominoes": Preset(
            replace(_CLEVR, keypoints=3, prototypes=114, window=27),
            _recipe(76, 300_000),
            "Tetrominoes, 112 x 112, 3 keypoints, 114 prototypes, alpha",
        ),
        "celeba": Preset(
            TuskConfig(
                keypoints=4,
                prototypes=32,
                window=21,
                reconstruction="perceptual",
                heatmap_weight=0.05,
                feature_weight=500.0,
                warp_scale=(0.9, 0.05),
                warp_bend=0.05,
                warp_shift=0.05,
                border="reflection",
            ),
            _recipe(32, 500_000),
            "CelebA in the wild, 80 x 80, 4 keypoints, 32 prototypes, perceptual",
        ),
        "h36m": Preset(
            TuskConfig(
                image_size=112,
                keypoints=16,
                prototypes=32,
                window=11,
                warp_scale=(0.95, 0.1),
                warp_bend=0.05,
                warp_shift=0.1,
                border="white",
            ),
            _recipe(32, 500_000),
            "Human3.6M without background, 112 x 112, 16 keypoints, 32 prototypes",
        ),
        "mnist-hard-small": Preset(
            TuskConfig(
                fold=2,
                width=16,
                groups=16,
                first_colour=0.1,
                salient=True,
                centred=True,
                rise=0.5,
                feature_weight=0.03,
                relative_features=True,
                attention_weight=0.3,
                window=9,
                splat_var_px=0.3,
                views="second",
                prototype_steps=1,
                memory=9,
            ),
            replace(_SMALL, steps=2 * 12_000),
            "MNIST-Hard, narrow and folded: under an hour on one core; departs",
        ),
        "tetrominoes-small": Preset(
            replace(
                _CLEVR,
                image_size=64,
                fold=4,
                width=16,
                groups=1,
                first_colour=0.1,
                salient=True,
                centred=True,
                rise=0.5,
                cluster_weight=0.005,
                feature_weight=0.01,
                attention_weight=1.0,
                keypoints=3,
                prototypes=114,
                window=5,
                splat_var_px=0.3,
                views="second",
                prototype_steps=1,
                memory=9,
            ),
            replace(_SMALL, batch=16),
            "Tetrominoes, 64 x 64, narrow and folded: under an hour on one core; departs",
        ),
        "tiny": Preset(
            TuskConfig(
                image_size=32,
                width=8,
                groups=4,
                descriptor=8,
                keypoints=4,
                prototypes=5,
                window=9,
                blend="alpha",
                first_colour=0.25,
                salient=True,
                centred=True,
                feature_weight=0.1,
                relative_features=True,
                projections=20,
                prototype_steps=1,
            ),
            Recipe(
                batch=8, learning_rate=5e-3, steps=30, epochs=None, milestones=(), adam_eps=1e-8
            ),
            "32 x 32, 4 keypoints: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "tusk": Family(
            name="tusk",
            title="TUSK",
            paper=(
                "Jin, Sun, Hosang, Trulls and Yi, TUSK: Task-Agnostic Unsupervised Keypoints, "
                "NeurIPS 2022, https://arxiv.org/abs/2206.08460"
            ),
            config=TuskConfig,
            presets=PRESETS,
            build=Tusk,
            phases=phases,
        ),
    }
)
