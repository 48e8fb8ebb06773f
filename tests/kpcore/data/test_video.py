from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from kpcore.data.video import Video
from kpcore.data.video_index import read_index
from kpcore.errors import DataError, InputError

Make = Callable[..., Path]
NumberOf = Callable[[ndarray], int]


def check_every_frame(path: Path, count: int, number_of: NumberOf, first: int = 0) -> None:
    """Read all frames in order, backwards and shuffled, without a cache to help."""
    with Video(path, cache_bytes=0) as video:
        assert len(video) == count
        order = [*range(count), *reversed(range(count))]
        order += np.random.default_rng(0).permutation(count).tolist()
        assert [number_of(video.frame(i)) for i in order] == [first + i for i in order]


@pytest.mark.parametrize(
    ("name", "codec", "options", "b_frames"),
    [
        ("b.mp4", "libx264", {}, 3),
        ("b.mkv", "libx264", {}, 3),
        ("open.mp4", "libx264", {"x264-params": "open-gop=1:bframes=5:b-pyramid=normal"}, 5),
        ("refresh.mp4", "libx264", {"x264-params": "intra-refresh=1:keyint=12"}, 0),
        ("b.avi", "mpeg4", {}, 2),
        ("b.ts", "libx264", {}, 3),
        ("old.mpg", "mpeg2video", {}, 2),
        ("hidden.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16"}, None),
        ("nine.webm", "libvpx-vp9", {"lag-in-frames": "16", "cpu-used": "8"}, None),
    ],
)
def test_every_frame_is_the_right_one(
    tmp_path: Path,
    make_video: Make,
    number_of: NumberOf,
    name: str,
    codec: str,
    options: dict[str, str],
    b_frames: int | None,
):
    path = make_video(tmp_path / name, 40, codec, options=options, b_frames=b_frames)
    check_every_frame(path, 40, number_of)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_variable_frame_rate_shifts_nothing(
    tmp_path: Path, make_video: Make, number_of: NumberOf, name: str
):
    times = np.cumsum(np.random.default_rng(1).integers(5, 200, 40)).tolist()
    path = make_video(tmp_path / name, times_ms=times)
    check_every_frame(path, 40, number_of)
    with Video(path) as video:
        expected = [(t - times[0]) / 1000 for t in times]
        assert video.timestamps == pytest.approx(expected, abs=0.002)
        assert video.fps == pytest.approx(39 / expected[-1], rel=0.02)


def test_frames_cut_away_by_an_edit_list_do_not_count(
    tmp_path: Path, make_video: Make, number_of: NumberOf
):
    """A trimmed MP4 keeps frames before the cut for decoding; players do not show them."""
    whole = make_video(tmp_path / "whole.mp4", 60)
    trimmed = tmp_path / "trimmed.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-ss", "0.8"]
    subprocess.run([*command, "-i", whole, "-c", "copy", trimmed], check=True)
    with Video(trimmed) as video:
        check_every_frame(trimmed, len(video), number_of, first=number_of(video.frame(0)))
        assert number_of(video.frame(0)) == 20


def test_a_turned_phone_video_is_upright(tmp_path: Path, short_video: Path):
    turned = tmp_path / "turned.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-display_rotation", "90"]
    subprocess.run([*command, "-i", short_video, "-c", "copy", turned], check=True)
    with Video(short_video) as plain, Video(turned) as video:
        assert video.size == (160, 96)
        assert np.array_equal(video.frame(3), np.rot90(plain.frame(3)))


def test_what_a_video_says_of_itself(short_video: Path):
    with Video(short_video) as video:
        assert (len(video), video.fps, video.size) == (40, 25.0, (96, 160))
        assert video.timestamps[:3] == pytest.approx((0.0, 0.04, 0.08))


def test_frames_are_read_only_and_shared(short_video: Path):
    with Video(short_video) as video:
        frame = video.frame(5)
        assert video.frame(5) is frame
        with pytest.raises(ValueError, match="read-only"):
            frame[0, 0] = 0


def test_the_cache_keeps_to_its_room(short_video: Path):
    with Video(short_video, cache_bytes=5 * 96 * 160 * 3) as video:
        for _ in video.frames(range(40)):
            pass
        assert len(video._cache) == 5
        assert 39 in video._cache


def test_a_step_back_is_already_in_the_cache(short_video: Path):
    with Video(short_video) as video:
        video.frame(35)
        video.frame(34)
        assert {30, 31, 32, 33} <= set(video._cache)


@pytest.mark.parametrize("index", [-1, 40])
def test_there_is_no_such_frame(short_video: Path, index: int):
    with Video(short_video) as video, pytest.raises(InputError, match="frames 0 to 39"):
        video.frame(index)


def test_threads_share_one_video(short_video: Path, number_of: NumberOf):
    wrong: list[int] = []
    with Video(short_video, cache_bytes=0) as video:

        def read(seed: int) -> None:
            for i in np.random.default_rng(seed).integers(0, 40, 30).tolist():
                if number_of(video.frame(i)) != i:
                    wrong.append(i)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_closed_video_opens_again(short_video: Path, number_of: NumberOf):
    video = Video(short_video)
    video.close()
    assert number_of(video.frame(7)) == 7
    video.close()


def test_a_path_in_any_script(tmp_path: Path, short_video: Path, number_of: NumberOf):
    folder = tmp_path / "Straße 12:30 道路"
    folder.mkdir()
    path = folder / "véhicules-машины:1.mp4"
    shutil.copy(short_video, path)
    with Video(path) as video:
        assert number_of(video.frame(9)) == 9


# -- bad input ----------------------------------------------------------------------------------
def test_no_file(tmp_path: Path):
    with pytest.raises(DataError, match="there is no video file"):
        Video(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"", b"hello world\n" * 50, b"#EXTM3U\n#EXTINF:1\nb.ts\n"])
@pytest.mark.parametrize("name", ["x.mp4", "x.txt"])
def test_what_is_not_a_video(tmp_path: Path, name: str, content: bytes):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a video that can be read"):
        Video(path)


def test_a_picture_is_not_a_video(tmp_path: Path):
    path = tmp_path / "x.mp4"
    Image.new("RGB", (8, 8)).save(path, "PNG")
    with pytest.raises(DataError, match="no video stream"):
        Video(path)


def test_sound_is_not_a_video(tmp_path: Path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(DataError, match="no video stream"):
        Video(path)


def test_a_video_without_frames(tmp_path: Path):
    path = tmp_path / "zero.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        container.start_encoding()
    with pytest.raises(DataError, match=r"'zero.mkv' (holds no video frames|is not a video)"):
        Video(path)


def test_a_video_that_is_cut_short(tmp_path: Path, make_video: Make):
    whole = make_video(tmp_path / "whole.mp4")
    data = _with_index_in_front(tmp_path, whole).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(DataError, match=r"is cut short: \d+ of 40 frames can be read"):
        Video(path)
    path.write_bytes(whole.read_bytes()[: len(data) // 2])
    with pytest.raises(DataError, match="is not a video that can be read"):
        Video(path)


def _with_index_in_front(tmp_path: Path, whole: Path) -> Path:
    moved = tmp_path / "moved.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(moved), "w", options={"movflags": "faststart"}) as sink,
    ):
        stream = sink.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                sink.mux(packet)
    return moved


def test_a_damaged_frame_is_told_and_the_others_are_read(
    tmp_path: Path, make_video: Make, number_of: NumberOf
):
    whole = _with_index_in_front(tmp_path, make_video(tmp_path / "whole.mp4", 60))
    data = bytearray(whole.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 500] = b"\xff" * 500
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    with Video(path, cache_bytes=0, decoder_threads=1) as video:
        refused = 0
        for index in range(60):
            try:
                frame = video.frame(index)
            except DataError:
                refused += 1
                continue
            if index < 12 or index >= 48:
                assert number_of(frame) == index
        assert 0 < refused < 36


def test_a_codec_that_is_not_known(tmp_path: Path, make_video: Make):
    path = make_video(tmp_path / "b.avi", 5, "mpeg4")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"FMP4", b"QQ77").replace(b"fmp4", b"qq77"))
    with pytest.raises(DataError, match="its codec is not known"):
        Video(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_no_damage_gives_anything_but_our_errors(tmp_path: Path, make_video: Make, name: str):
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    whole = make_video(tmp_path / name, 20, codec).read_bytes()
    path = tmp_path / f"bad {name}"
    random = np.random.default_rng(0)
    for damage in (1, 20, 300, 0, 0):
        data = bytearray(whole if damage else whole[: random.integers(len(whole))])
        for place in random.integers(0, len(data), damage):
            data[place] = random.integers(256)
        path.write_bytes(data)
        try:
            with Video(path, decoder_threads=1) as video:
                video.frame(len(video) - 1)
                video.frame(0)
        except DataError as error:
            refusal = str(error)
            assert name in refusal
            assert "\n" not in refusal


def test_files_with_doubtful_time_stamps_are_counted(tmp_path: Path, make_video: Make):
    assert not read_index(make_video(tmp_path / "b.avi", 5, "mpeg4")).seekable
    assert read_index(make_video(tmp_path / "b.mp4", 5)).seekable


def test_frames_that_nobody_refers_to_are_passed_over_on_the_way(
    tmp_path: Path, make_video: Make, number_of: NumberOf
):
    """A long way from the key frame, forwards, backwards and with a cache, gives every frame."""
    path = make_video(tmp_path / "long.mp4", 60, options={"x264-params": "keyint=60"}, b_frames=3)
    for room in (0, 5 * 96 * 160 * 3, 10**8):
        with Video(path, cache_bytes=room) as video:
            order = [59, 3, 58, 57, 56, 30, 31, 33, 32, 0, 45, 44, 46, 59]
            assert [number_of(video.frame(index)) for index in order] == order
