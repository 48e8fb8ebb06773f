"""Sizes that do not fit together are refused in one sentence; presets hold table 3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpcore.errors import InputError
from kpcore.models.dlp.config import MaskedConfig, ObjectConfig
from kpcore.models.dlp.presets import MASKED_PRESETS, OBJECT_PRESETS


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        (ObjectConfig, {"image_size": 100}, "image_size 100"),
        (ObjectConfig, {"image_size": 32}, "gives maps of 4"),
        (ObjectConfig, {"prior_patch_px": 24}, "not a multiple of prior_patch_px 24"),
        (ObjectConfig, {"anchor": 0.2}, "glimpses of 25"),
        (ObjectConfig, {"anchor": 1.5}, "anchor is 1.5"),
        (ObjectConfig, {"sigma": 0.0}, "sigma is 0.0"),
        (ObjectConfig, {"particles": 0}, "particles is 0"),
        (ObjectConfig, {"encoder_channels": (32,)}, "at least two"),
        (ObjectConfig, {"kl": "standard"}, "15 and 20"),
        (MaskedConfig, {"anchor": 0.2}, "side 3"),
        (MaskedConfig, {"appearance": "image", "anchor": 0.02}, "side 3"),
        (MaskedConfig, {"graph_widths": ()}, "one width"),
        (MaskedConfig, {"equivariance": 1.0, "tps_pairs": False}, "tps_pairs is off"),
        (MaskedConfig, {"concentration": 1.0}, "positions is 'linear'"),
    ],
)
def test_sizes_that_do_not_fit(kind, changes, told):
    with pytest.raises(InputError, match=told) as caught:
        kind(**changes)
    assert "\n" not in str(caught.value)


def test_derived_sizes_are_the_published_ones():
    config = ObjectConfig()
    assert (config.map_side, config.glimpse_px, config.map_glimpse) == (16, 32, 4)
    config = MaskedConfig()
    assert (config.map_side, config.glimpse_px, config.map_glimpse) == (16, 16, 2)
    assert (config.proposals, replace(config, prior_kept=999).proposals) == (50, 256)


def test_table_three():
    rows = {
        "celeba-10": (10, 15, 20.0, 30, 90),
        "celeba-25": (25, 30, 30.0, 10, 90),
        "celeba-30": (30, 50, 40.0, 10, 90),
        "celeba-50": (50, 50, 50.0, 10, 90),
    }
    for name, row in rows.items():
        preset = MASKED_PRESETS[name]
        c = preset.config
        assert (c.particles, c.prior_kept, c.beta, c.features, preset.recipe.epochs) == row
        assert c.prior_patch_px == 8
    for name, row in {"traffic": (15, 30.0, 20, 100), "clevrer": (10, 40.0, 5, 120)}.items():
        preset = OBJECT_PRESETS[name]
        c = preset.config
        assert (c.particles, c.beta, c.features, preset.recipe.epochs) == row
        assert (c.prior_patch_px, c.glimpse_px, c.prior_kept) == (16, 32, 64)
