"""Procedural scenes with ground truth, reproducible from (seed, index) at any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from kpcore.data.mnist import Digits, drawn_digits, read_digits
from kpcore.data.synthetic.bouncing import Bouncing
from kpcore.data.synthetic.cartoon_faces import CartoonFaces
from kpcore.data.synthetic.mnist_hard import MnistHard
from kpcore.data.synthetic.mnist_single import MnistSingle
from kpcore.data.synthetic.multi_dsprites import MultiDSprites
from kpcore.data.synthetic.multi_mnist import MultiMnist
from kpcore.data.synthetic.scene import Scene, SceneClip, SceneSource
from kpcore.data.synthetic.shaded_shapes import ShadedShapes
from kpcore.data.synthetic.shapes import Shapes
from kpcore.data.synthetic.stick_figures import StickFigures
from kpcore.data.synthetic.tabletop import Tabletop
from kpcore.data.synthetic.tetrominoes import Tetrominoes
from kpcore.data.synthetic.traffic import Traffic
from kpcore.errors import DataError, nearest

SCENES: Mapping[str, SceneSource] = MappingProxyType(
    {
        "traffic": Traffic(),
        "shapes": Shapes(),
        "multi-dsprites": MultiDSprites(),
        "multi-dsprites-7": MultiDSprites(7, 7, "multi-dSprites: seven coloured shapes on black"),
        "tetrominoes": Tetrominoes(),
        "shaded-shapes": ShadedShapes(),
        "shaded-shapes-10": ShadedShapes(7, 10, "seven to ten shaded cubes, balls and cylinders"),
        "bouncing": Bouncing(),
        "stick-figures": StickFigures(),
        "tabletop": Tabletop(),
        "tabletop-rearranged": Tabletop(
            "robot arm and three toys, put elsewhere from frame to frame", rearranged=True
        ),
        "cartoon-faces": CartoonFaces(),
        "cartoon-faces-wild": CartoonFaces("wild", "one drawn face anywhere"),
        "several-faces": CartoonFaces("several", "two or three drawn faces"),
    }
)
"""The kinds of scene, by the name that `--data` takes."""

WITH_DIGITS: Mapping[str, Callable[[Digits], SceneSource]] = MappingProxyType(
    {
        "mnist": lambda digits: MnistSingle(digits.images, digits.labels),
        "mnist-hard": lambda digits: MnistHard(digits.images, digits.labels),
        "multi-mnist-1k": lambda digits: MultiMnist(digits.images, digits.labels),
        "multi-mnist-10k": lambda digits: MultiMnist(digits.images, digits.labels, pool=10_000),
        "multi-mnist-7": lambda digits: MultiMnist(digits.images, digits.labels, least=7, most=7),
    }
)
"""Scenes that show digits: `NAME:FOLDER` reads MNIST's files there, `NAME` alone draws its own."""


def scene_names() -> tuple[str, ...]:
    """Return the names of all kinds of scene."""
    return (*SCENES, *WITH_DIGITS)


def are_scenes(spec: str) -> bool:
    """Return whether `spec` names scenes, with or without the folder of their files.

    A file or folder of that name is meant before the scenes are.
    """
    if Path(spec).exists():
        return False
    name, colon, _ = spec.partition(":")
    return spec in SCENES or name in WITH_DIGITS or (bool(colon) and name in SCENES)


@lru_cache(maxsize=8)
def find_scenes(spec: str) -> SceneSource:
    """Return the scenes called NAME or NAME:FOLDER.

    Raises:
        DataError: There are none of that name, or the folder lacks their files.
    """
    name, _, folder = spec.partition(":")
    if name in SCENES and not folder:
        return SCENES[name]
    if name in WITH_DIGITS:
        return WITH_DIGITS[name](read_digits(folder) if folder else drawn_digits())
    if name in SCENES:
        raise DataError(f"the scenes '{name}' need no files; leave out ':{folder}'")
    known = scene_names()
    raise DataError(
        f"there are no scenes '{spec}'; known: {', '.join(known)}.{nearest(name, known)}"
    )


__all__ = [
    "SCENES",
    "WITH_DIGITS",
    "Scene",
    "SceneClip",
    "SceneSource",
    "are_scenes",
    "find_scenes",
    "scene_names",
]
