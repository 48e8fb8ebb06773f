"""LAVAE and its baseline: Dittadi and Winther, 2019."""

from __future__ import annotations

from types import MappingProxyType

from kpcore.api import Family, Preset, Recipe
from kpcore.models.lavae.config import GridVaeConfig, LavaeConfig
from kpcore.models.lavae.model import GridVaeModel, Lavae
from kpcore.models.lavae.objective import grid_phases, phases

_PAPER = (
    "Dittadi and Winther, LAVAE: Disentangling Location and Appearance, 2019, "
    "https://arxiv.org/abs/1909.11813"
)
_RECIPE = Recipe(
    batch=64,
    learning_rate=1e-3,
    steps=100_000,
    epochs=None,
    milestones=(),
    adam_eps=1e-8,
)
_TINY = Recipe(batch=8, learning_rate=3e-3, steps=30, epochs=None, milestones=(), adam_eps=1e-8)

PRESETS = MappingProxyType(
    {
        "default": Preset(LavaeConfig(), _RECIPE, "multi-dSprites, 64 x 64, up to 10 objects"),
        "multi-mnist": Preset(
            LavaeConfig(channels=1, sprite=17, location_rate=0.1),
            _RECIPE,
            "multi-MNIST, 64 x 64, up to 10 digits",
        ),
        "small": Preset(
            LavaeConfig(
                width=16,
                sprite_width=32,
                features=16,
                half_appearance=True,
                gamma=0.0,
                smoothing=1.5,
                settled=0.24,
                sharpening_rate=2.0,
                floor=1e-5,
                auxiliary_steps=250,
                auxiliary_floor=1.0,
                forced_until=0.15,
                forced_to=0.4,
                location_rate=0.67,
                location_decay=0.1,
            ),
            Recipe(
                batch=16,
                learning_rate=3e-3,
                steps=4_000,
                epochs=None,
                milestones=(0.6, 0.85),
                decay=0.3,
                adam_eps=1e-8,
            ),
            "multi-dSprites, narrow: counts within minutes on one core; departs",
        ),
        "small-mnist": Preset(
            LavaeConfig(
                channels=1,
                sprite=17,
                width=16,
                sprite_width=32,
                features=16,
                half_appearance=True,
                gamma=0.0,
                smoothing=2.5,
                radius=5,
                settled=0.24,
                sharpening_rate=2.0,
                floor=1e-5,
                auxiliary_steps=250,
                auxiliary_floor=1.0,
                auxiliary_blur=3.5,
                auxiliary_surround=5.25,
                forced_until=0.15,
                forced_to=0.4,
                location_rate=0.67,
                location_decay=0.1,
            ),
            Recipe(
                batch=16,
                learning_rate=3e-3,
                steps=4_000,
                epochs=None,
                milestones=(0.6, 0.85),
                decay=0.3,
                adam_eps=1e-8,
            ),
            "multi-MNIST, narrow; departs",
        ),
        "tiny": Preset(
            LavaeConfig(
                image_size=32,
                objects=4,
                features=4,
                sprite=9,
                width=4,
                radius=2,
                auxiliary_steps=4,
                auxiliary_width=4,
                auxiliary_blur=2.0,
                auxiliary_surround=3.0,
                threshold=0.0,
            ),
            _TINY,
            "32 x 32, up to 4 objects: seconds on a CPU, for tests",
        ),
    }
)

_GRID_SMALL = Recipe(
    batch=16,
    learning_rate=3e-3,
    steps=3_000,
    epochs=None,
    milestones=(0.5, 0.8, 0.93),
    decay=0.3,
    adam_eps=1e-8,
)

GRID_PRESETS = MappingProxyType(
    {
        "default": Preset(GridVaeConfig(), _RECIPE, "64 x 64, 1,024 numbers in 8 x 8 cells"),
        "multi-mnist": Preset(
            GridVaeConfig(channels=1), _RECIPE, "black and white, 1,024 numbers in 8 x 8 cells"
        ),
        "small": Preset(
            GridVaeConfig(width=24, warmup=0.5, floor=1e-5), _GRID_SMALL, "as default, narrow"
        ),
        "small-mnist": Preset(
            GridVaeConfig(channels=1, width=24, warmup=0.5, floor=1e-5),
            _GRID_SMALL,
            "as multi-mnist, narrow",
        ),
        "tiny": Preset(
            GridVaeConfig(image_size=32, features=4, width=4),
            _TINY,
            "32 x 32, 4 x 4 cells: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "lavae": Family(
            name="lavae",
            title="LAVAE",
            paper=_PAPER,
            config=LavaeConfig,
            presets=PRESETS,
            build=Lavae,
            phases=phases,
        ),
        "lavae-baseline": Family(
            name="lavae-baseline",
            title="LAVAE's baseline, a fully convolutional VAE",
            paper=_PAPER,
            config=GridVaeConfig,
            presets=GRID_PRESETS,
            build=GridVaeModel,
            phases=grid_phases,
        ),
    }
)
