from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpcore.data.image_file import LARGEST_SIDE, LIMIT_PIXELS, is_image, read_image
from kpcore.errors import DataError

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [128, 128, 128], [255, 255, 255]]],
    np.uint8,
)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.webp", "Bildchen 道路.png"])
def test_lossless_files_give_their_pixels(tmp_path: Path, name: str):
    path = tmp_path / name
    Image.fromarray(COLOURS).save(path, lossless=True)
    still = read_image(path)
    assert (still.picture == COLOURS).all()
    assert (still.size, still.notes) == ((2, 3), ())


def test_a_jpeg_is_close(tmp_path: Path):
    path = tmp_path / "a.jpeg"
    Image.new("RGB", (20, 10), (200, 40, 90)).save(path, quality=95)
    assert np.abs(read_image(path).picture.astype(int) - (200, 40, 90)).max() < 6


def test_one_pixel(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.new("RGB", (1, 1), (1, 2, 3)).save(path)
    assert read_image(path).picture.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_keeps_black_and_white(tmp_path: Path, name: str):
    path = tmp_path / name
    Image.fromarray(np.array([[0, 32896, 65535, 257]], np.uint16)).save(path)
    still = read_image(path)
    assert still.picture[0].tolist() == [[v] * 3 for v in (0, 128, 255, 1)]
    assert "16-bit" in still.notes[0]


def test_16_bit_rgb(tmp_path: Path):
    """Pillow writes no 16-bit colour, so the file is put together here."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">6H", 0, 32896, 65535, 65535, 0, 32896)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row))
        + chunk(b"IEND", b"")
    )
    assert read_image(path).picture.tolist() == [[[0, 128, 255], [255, 0, 128]]]


def test_floating_point_is_stretched(tmp_path: Path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[-1.0, 0.0, 1.0]], np.float32)).save(path)
    still = read_image(path)
    assert still.picture[0, :, 0].tolist() == [0, 128, 255]
    assert "stretched" in still.notes[0]


def test_values_that_are_not_numbers_do_no_harm(tmp_path: Path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[np.nan, 0.0, 2.0, np.inf]], np.float32)).save(path)
    assert read_image(path).picture[0, :, 0].tolist() == [0, 0, 255, 255]
    Image.fromarray(np.full((1, 2), np.nan, np.float32)).save(path)
    assert (read_image(path).picture == 0).all()


def test_a_16_bit_pgm(tmp_path: Path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 2 1 65535\n" + struct.pack(">HH", 0, 32896))
    assert read_image(path).picture[0, :, 0].tolist() == [0, 128]


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey(tmp_path: Path, mode: str):
    path = tmp_path / "a.png"
    Image.new(mode, (3, 2), 255).save(path)
    assert (read_image(path).picture == 255).all()
    assert "grey" in read_image(path).notes[0]


def test_transparent_parts_lie_on_white(tmp_path: Path):
    path = tmp_path / "a.png"
    pixels = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    Image.fromarray(pixels).save(path)
    still = read_image(path)
    assert still.picture[0].tolist() == [[255, 0, 0], [255, 255, 255], [127, 127, 127]]
    assert "white" in still.notes[0]


def test_a_palette_with_a_transparent_colour(tmp_path: Path):
    path = tmp_path / "a.png"
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(path, transparency=1)
    assert read_image(path).picture[0].tolist() == [[10, 20, 30], [255, 255, 255]]


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path: Path, name: str):
    path = tmp_path / name
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(path)
    still = read_image(path)
    assert np.abs(still.picture.astype(int) - (255, 0, 0)).max() < 12
    assert "CMYK" in still.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_honoured(tmp_path: Path, orientation: int):
    upright = np.zeros((20, 30, 3), np.uint8)
    upright[:5, :5] = 255
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    still = read_image(path)
    assert (still.picture == upright).all()
    assert still.size == (20, 30)
    assert bool(still.notes) == (orientation != 1)


def test_the_first_of_several_pictures(tmp_path: Path):
    path = tmp_path / "a.tif"
    pages = [Image.new("RGB", (2, 2), (shade, 0, 0)) for shade in (9, 90, 200)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    still = read_image(path)
    assert (still.picture == (9, 0, 0)).all()
    assert "first of 3" in still.notes[0]


@pytest.mark.parametrize("shape", [(700, 500), (3000, 7), (7, 3000), (640, 640)])
def test_reducing_strip_by_strip_loses_nothing(tmp_path: Path, shape: tuple[int, int]):
    """Ramps in x and y come out as ramps, in every mode that is converted on the way."""
    height, width = shape
    ramp = np.add.outer(np.linspace(0, 127, height), np.linspace(0, 127, width))
    expected = read_image(_save(tmp_path, Image.fromarray(ramp.astype(np.uint8)))).picture
    for picture in (
        Image.fromarray((ramp * 257).astype(np.uint16)),
        Image.fromarray(np.stack([ramp] * 3 + [np.full(shape, 255)], 2).astype(np.uint8)),
        Image.fromarray(ramp.astype(np.uint8)).convert("P"),
    ):
        still = read_image(_save(tmp_path, picture), largest_side=64)
        assert max(still.picture.shape) == 64
        h, w = still.picture.shape[:2]
        rows = ((np.arange(h) + 0.5) * height / h).astype(int)
        columns = ((np.arange(w) + 0.5) * width / w).astype(int)
        error = still.picture.astype(int) - expected[np.ix_(rows, columns)]
        assert np.abs(error).max() <= 12


def _save(folder: Path, picture: Image.Image) -> Path:
    path = folder / "ramp.png"
    picture.save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_ten_thousand_pixels_square(tmp_path: Path, name: str):
    """Accepted and reduced; what stays in memory is bounded."""
    path = tmp_path / name
    image = Image.new("L", (10_000, 10_000), 30)
    image.paste(220, (0, 0, 5_000, 10_000))
    image.save(path)
    del image
    tracemalloc.start()
    still = read_image(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert still.size == (10_000, 10_000)
    assert still.picture.shape == (LARGEST_SIDE, LARGEST_SIDE, 3)
    assert abs(int(still.picture[100, 100, 0]) - 220) < 3
    assert abs(int(still.picture[100, -100, 0]) - 30) < 3
    assert "of 10000 x 10000" in still.notes[0]
    assert peak < 250e6


def test_a_thumbnail_is_read_small(tmp_path: Path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (400, 200)).save(path)
    assert read_image(path, largest_side=50).picture.shape == (25, 50, 3)


# -- bad input ----------------------------------------------------------------------------------
def test_more_pixels_than_the_limit(tmp_path: Path):
    side = int(LIMIT_PIXELS**0.5) + 10
    for factor in (1, 2):
        path = tmp_path / "a.bmp"
        header = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
        path.write_bytes(
            header + struct.pack("<IiiHHIIiiII", 40, side * factor, side, 1, 24, 0, 0, 0, 0, 0, 0)
        )
        with pytest.raises(DataError, match="up to 178 million can be read"):
            read_image(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.bmp"])
def test_cut_short(tmp_path: Path, name: str):
    whole = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    for share in (0.02, 0.5, 0.9):
        whole.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(DataError, match=rf"'{name}' "):
            read_image(whole)


def test_damaged(tmp_path: Path):
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    data = bytearray(path.read_bytes())
    data[2000:2100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged or cut short"):
        read_image(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 a zip", b"%!PS-Adobe-3.0 EPSF-3.0"]
)
def test_not_an_image(tmp_path: Path, content: bytes):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert not is_image(path)
    with pytest.raises(DataError, match="is not an image that can be read here"):
        read_image(path)


def test_missing_or_a_folder(tmp_path: Path):
    with pytest.raises(DataError, match="No such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(DataError, match="directory"):
        read_image(tmp_path)
