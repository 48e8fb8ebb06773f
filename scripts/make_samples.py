#!/usr/bin/env python
"""Write the sample pictures and clips of `resources/samples` again."""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from kpcore.data.synthetic import SCENES, find_scenes

SEED = 2_000_003
"""A stream of scenes that neither training nor evaluation uses."""
PICTURES = (11, 3, 1, 9, 14)
SMALL = {
    "sprites-3": ("multi-dsprites", 3),
    "sprites-7": ("multi-dsprites-7", 0),
    "sprites-7b": ("multi-dsprites-7", 1),
    "face-1": ("cartoon-faces", 2),
    "face-2": ("cartoon-faces", 7),
    "face-3": ("cartoon-faces", 14),
    "pieces-1": ("tetrominoes", 5),
    "pieces-2": ("tetrominoes", 0),
    "pieces-3": ("tetrominoes", 11),
}
"""File -> scenes and number; 64 x 64, as those of LAVAE, LMDIS and TUSK."""
CLIPS = {
    "traffic-clip": ("traffic", SEED, 3),
    "tabletop-clip": ("tabletop", SEED, 1),
    "traffic-long": ("traffic", SEED, 7),
}
"""File -> scenes, stream and number."""
DIGITS, DIGITS_SIZE = (0, 1, 2), 80
"""Pictures of MNIST-Hard with digits that OpenCV's fonts draw, and their side in pixels."""
SIZE = 128
FRAMES = 120
LONG = 300
"""Frames of a clip called "long": to predict from anywhere, with the truth far ahead."""
RATE = 24
SAMPLES = Path(__file__).parents[1] / "resources" / "samples"


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=SAMPLES)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    traffic = SCENES["traffic"]
    for number, index in enumerate(PICTURES, start=1):
        picture = _bytes(traffic.sample(SEED, index, SIZE).image)
        iio.imwrite(folder / f"traffic-{number}.png", picture)
    for file, (scenes, index) in SMALL.items():
        iio.imwrite(
            folder / f"{file}.png", _bytes(SCENES[scenes].sample(SEED, index, SIZE // 2).image)
        )
    digits = find_scenes("mnist-hard")
    for number, index in enumerate(DIGITS, start=1):
        picture = _bytes(digits.sample(SEED, index, DIGITS_SIZE).image)
        iio.imwrite(folder / f"digits-{number}.png", picture)
    for file, (scenes, seed, index) in CLIPS.items():
        frames = LONG if file.endswith("long") else FRAMES
        clip = SCENES[scenes].clip(seed, index, SIZE, frames)
        iio.imwrite(
            folder / f"{file}.mp4",
            np.stack([_bytes(image) for image in clip.image]),
            plugin="FFMPEG",
            fps=RATE,
            codec="libx264",
            output_params=["-crf", "12"],
            macro_block_size=1,
        )


def _bytes(image: np.ndarray) -> np.ndarray:
    return (image.transpose(1, 2, 0) * 255.0).round().astype(np.uint8)


if __name__ == "__main__":
    main()
