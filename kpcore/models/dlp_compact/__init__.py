"""DLP Object, compact: a departure from the paper that small machines can train."""

from __future__ import annotations

from types import MappingProxyType

from kpcore.api import Family, Preset, Recipe
from kpcore.models.dlp_compact.config import CompactConfig
from kpcore.models.dlp_compact.model import CompactDLP
from kpcore.models.dlp_compact.objective import phases

_RECIPE = Recipe(
    batch=16,
    learning_rate=1e-3,
    steps=6000,
    epochs=None,
    milestones=(0.5, 0.7, 0.85),
    decay=0.5,
    rise=50,
    adam_eps=1e-4,
)

PRESETS = MappingProxyType(
    {
        "default": Preset(
            CompactConfig(),
            _RECIPE,
            "128 x 128, 10 particles, fixed camera; under an hour on one CPU core",
        ),
        "shapes": Preset(
            CompactConfig(
                image_size=64,
                particles=10,
                reach_px=6.0,
                apart_px=6.0,
                glimpse_px=16,
                features=8,
                background_features=8,
                background_bases=0,
                prior_patch_px=8,
                prior_kept=15,
                crop_cells=2,
                warmup_steps=200,
                feature_kl=0.005,
            ),
            Recipe(
                batch=32,
                learning_rate=1e-3,
                steps=4000,
                epochs=None,
                milestones=(0.5, 0.7, 0.85),
                decay=0.5,
                rise=50,
                adam_eps=1e-4,
            ),
            "64 x 64, 10 particles, plain grounds: shapes, multi-dsprites, bouncing",
        ),
        "camera": Preset(
            CompactConfig(
                particles=32,
                reach_px=8.0,
                apart_px=5.0,
                glimpse_px=16,
                features=8,
                background_features=32,
                background_bases=32,
                prior_patch_px=8,
                prior_kept=40,
                sigma=0.05,
                beta=0.002,
                feature_kl=0.002,
                presence_cost=0.12,
                centring=0.1,
                sprawl_cost=1.0,
            ),
            Recipe(
                batch=16,
                learning_rate=1e-3,
                steps=8000,
                epochs=None,
                milestones=(0.5, 0.7, 0.85),
                decay=0.5,
                rise=50,
                adam_eps=1e-4,
            ),
            "128 x 128, 32 particles of up to 16 px: many small vehicles under a fixed camera",
        ),
        "tiny": Preset(
            CompactConfig(
                image_size=32,
                particles=4,
                reach_px=6.0,
                apart_px=4.0,
                glimpse_px=8,
                features=4,
                background_features=4,
                background_bases=2,
                encoder_width=16,
                prior_patch_px=8,
                prior_kept=6,
                warmup_steps=5,
                crop_cells=1,
            ),
            Recipe(batch=8, learning_rate=1e-3, steps=30, epochs=None, milestones=(), rise=5),
            "32 x 32, 4 particles: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "dlp-compact": Family(
            name="dlp-compact",
            title="DLP Object, compact",
            paper=(
                "after Daniel and Tamar, Unsupervised Image Representation Learning with Deep "
                "Latent Particles, ICML 2022, https://arxiv.org/abs/2205.15821; departs from it"
            ),
            config=CompactConfig,
            presets=PRESETS,
            build=CompactDLP,
            phases=phases,
        ),
    }
)
