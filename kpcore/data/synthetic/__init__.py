"""Procedural scenes with ground truth, reproducible from (seed, index) at any size."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kpcore.data.synthetic.bouncing import Bouncing
from kpcore.data.synthetic.cartoon_faces import CartoonFaces
from kpcore.data.synthetic.multi_dsprites import MultiDSprites
from kpcore.data.synthetic.scene import Scene, SceneClip, SceneSource
from kpcore.data.synthetic.shapes import Shapes
from kpcore.data.synthetic.stick_figures import StickFigures
from kpcore.data.synthetic.tabletop import Tabletop
from kpcore.data.synthetic.traffic import Traffic

SCENES: Mapping[str, SceneSource] = MappingProxyType(
    {
        "traffic": Traffic(),
        "shapes": Shapes(),
        "multi-dsprites": MultiDSprites(),
        "bouncing": Bouncing(),
        "stick-figures": StickFigures(),
        "tabletop": Tabletop(),
        "cartoon-faces": CartoonFaces(),
        "cartoon-faces-wild": CartoonFaces("wild", "one drawn face anywhere"),
        "several-faces": CartoonFaces("several", "two or three drawn faces"),
    }
)
"""The kinds of scene, by the name that `--data` takes."""

__all__ = ["SCENES", "Scene", "SceneClip", "SceneSource"]
