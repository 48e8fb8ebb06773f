"""Deep Latent Particles as published: the Object and the Masked model."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from kpcore.api import Family, KeypointModel, Phase
from kpcore.models.dlp.config import MaskedConfig, ObjectConfig
from kpcore.models.dlp.presets import MASKED_PRESETS, OBJECT_PRESETS

if TYPE_CHECKING:
    from kpcore.models.dlp.model import DLP

_PAPER = (
    "Daniel and Tamar, Unsupervised Image Representation Learning with Deep Latent Particles, "
    "ICML 2022, https://arxiv.org/abs/2205.15821"
)


def _build_object(config: ObjectConfig) -> KeypointModel:
    from kpcore.models.dlp.model import build_object

    return build_object(config)


def _build_masked(config: MaskedConfig) -> KeypointModel:
    from kpcore.models.dlp.model import build_masked

    return build_masked(config)


def _object_phases(model: DLP, config: ObjectConfig) -> Sequence[Phase]:
    from kpcore.models.dlp.objective import object_phases

    return object_phases(model, config)


def _masked_phases(model: DLP, config: MaskedConfig) -> Sequence[Phase]:
    from kpcore.models.dlp.objective import masked_phases

    return masked_phases(model, config)


FAMILIES = MappingProxyType(
    {
        "dlp-object": Family(
            name="dlp-object",
            title="DLP Object",
            paper=_PAPER,
            config=ObjectConfig,
            presets=OBJECT_PRESETS,
            build=_build_object,
            phases=_object_phases,
        ),
        "dlp-masked": Family(
            name="dlp-masked",
            title="DLP Masked",
            paper=_PAPER,
            config=MaskedConfig,
            presets=MASKED_PRESETS,
            build=_build_masked,
            phases=_masked_phases,
        ),
    }
)
"""Imported on first use: what builds and trains them needs torch-geometric, which loads slowly."""
