"""Keypoints and a recurrent network: what particle-based video prediction is compared with."""

from __future__ import annotations

from types import MappingProxyType

from kpcore.api import Family, Preset, Recipe, Window
from kpcore.models.keynet_rnn.config import KeyNetRNNConfig
from kpcore.models.keynet_rnn.model import KeyNetRNN
from kpcore.models.keynet_rnn.objective import phases

_RECIPE = Recipe(
    batch=32,
    learning_rate=1e-3,
    steps=100_000,
    epochs=None,
    milestones=(0.3, 0.6, 0.9),
    decay=0.5,
    rise=100,
    adam_eps=1e-8,
)

PRESETS = MappingProxyType(
    {
        "default": Preset(
            KeyNetRNNConfig(), _RECIPE, "64 x 64, 12 keypoints, clips of 16; Minderer's sizes"
        ),
        "traffic": Preset(
            KeyNetRNNConfig(
                image_size=128,
                particles=15,
                block_px=4,
                width_most=64,
                separation=2.0,
            ),
            Recipe(
                batch=6,
                learning_rate=1e-3,
                steps=2200,
                epochs=None,
                milestones=(0.5, 0.75, 0.9),
                decay=0.5,
                rise=100,
                adam_eps=1e-8,
            ),
            "128 x 128, 15 keypoints, networks on blocks of 4 px: under an hour on one CPU core",
        ),
        "tiny": Preset(
            KeyNetRNNConfig(
                image_size=32,
                particles=4,
                map_side=8,
                block_px=2,
                width=8,
                width_most=16,
                hidden=16,
                observed=3,
                future=2,
                decoded=2,
                sparsity=0.1,
            ),
            Recipe(
                batch=8,
                learning_rate=2e-3,
                steps=30,
                epochs=None,
                milestones=(),
                rise=5,
                adam_eps=1e-8,
            ),
            "32 x 32, 4 keypoints: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "keynet-rnn": Family(
            name="keynet-rnn",
            title="KeyNet with a recurrent network",
            paper=(
                "after Minderer et al., Unsupervised Learning of Object Structure and Dynamics "
                "from Videos, NeurIPS 2019, https://arxiv.org/abs/1906.07889; departs from it"
            ),
            config=KeyNetRNNConfig,
            presets=PRESETS,
            build=KeyNetRNN,
            phases=phases,
            stage="video",
            window=lambda config: Window(frames=config.frames),
        ),
    }
)
