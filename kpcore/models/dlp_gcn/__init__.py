"""DLP-GCN: video prediction by a gated graph network over the particles of two frames."""

from __future__ import annotations

from types import MappingProxyType

from kpcore.api import Family, Preset, Recipe, Window
from kpcore.models.dlp_gcn.config import GCNConfig
from kpcore.models.dlp_gcn.model import DLPGCN
from kpcore.models.dlp_gcn.objective import phases

PRESETS = MappingProxyType(
    {
        "default": Preset(
            GCNConfig(),
            Recipe(batch=32, learning_rate=2e-4, epochs=100),
            "as published: one step through the decoder, perceptual loss",
        ),
        "unrolled": Preset(
            GCNConfig(
                relative_edges=True,
                unroll=10,
                grow=0.25,
                decoded=1,
                reconstruction="mse",
                track_weight=100.0,
            ),
            Recipe(
                batch=16,
                learning_rate=2e-3,
                steps=4000,
                epochs=None,
                milestones=(0.45, 0.65, 0.8, 0.92),
                decay=0.4,
                rise=50,
                adam_eps=1e-8,
            ),
            "ten steps unrolled, pixels and tracks: under an hour on one CPU core",
        ),
        "inertia": Preset(
            GCNConfig(
                radius=0.5,
                relative_edges=True,
                inertia=True,
                unroll=10,
                decoded=1,
                reconstruction="mse",
                track_weight=20.0,
            ),
            Recipe(
                batch=16,
                learning_rate=1e-3,
                steps=2500,
                epochs=None,
                milestones=(0.5, 0.75, 0.9),
                decay=0.4,
                rise=100,
                adam_eps=1e-8,
            ),
            "ten steps unrolled, corrections to each particle's own motion; departs",
        ),
        "tiny": Preset(
            GCNConfig(
                hidden=16,
                radius=0.5,
                relative_edges=True,
                unroll=2,
                reconstruction="mse",
                track_weight=100.0,
            ),
            Recipe(
                batch=8,
                learning_rate=3e-3,
                steps=30,
                epochs=None,
                milestones=(),
                rise=5,
                adam_eps=1e-8,
            ),
            "16 units, two steps unrolled: seconds on a CPU, for tests",
        ),
    }
)

FAMILIES = MappingProxyType(
    {
        "dlp-gcn": Family(
            name="dlp-gcn",
            title="DLP-GCN video predictor",
            paper=(
                "Daniel and Tamar, Unsupervised Image Representation Learning with Deep Latent "
                "Particles, ICML 2022, https://arxiv.org/abs/2205.15821, sec. 5.3"
            ),
            config=GCNConfig,
            presets=PRESETS,
            build=DLPGCN,
            phases=phases,
            stage="video",
            window=lambda config: Window(frames=config.frames),
            needs=("renderer",),
        ),
    }
)
