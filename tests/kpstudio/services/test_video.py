"""A video in the engine: encoded in the background, read ahead, played, linked, and bad ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from kpcore.data.media import open_media
from kpcore.errors import DataError
from kpstudio.services.decoded import Bytes
from kpstudio.services.model_host import ModelHost, uneven
from kpstudio.session.edits import MoveParticles

if TYPE_CHECKING:
    from kpcore.api import Encoding
    from tests.kpstudio.services.conftest import Bench

MakeBench = Callable[..., "Bench"]


def write_clip(path: Path, frames: int = 24, size: tuple[int, int] = (48, 48)) -> Path:
    """Blobs that move, H.264 with B-frames."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 12
        stream.codec_context.max_b_frames = 3
        for index in range(frames):
            picture = np.zeros((height, width, 3), np.uint8)
            for channel in range(3):
                x, y = (7 * channel + index) % width, (11 * channel + 5) % height
                near = (columns - x) ** 2 + (rows - y) ** 2 < 30
                picture[near, channel] = 250
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4")


def over(bench: Bench) -> bool:
    return bench.engine.clip.background.progress.is_over


def test_every_frame_is_encoded_without_being_looked_at(bench: Bench, tiny: Path, clip: Path):
    bench.open(tiny, clip)
    told = []
    bench.engine.clip.background.changed.connect(told.append)
    bench.wait(lambda: over(bench))
    document = bench.session.document
    assert sorted(document.encoded) == list(range(24))
    assert told[-1].done == told[-1].total == 24
    assert bench.session.view.frame == 0
    assert not bench.notices or all(n.level == "info" for n in bench.notices)


def test_in_the_background_frames_give_the_particles_that_looking_gives(
    make_bench: MakeBench, tiny: Path, clip: Path
):
    bench, other = make_bench(), make_bench()
    bench.open(tiny, clip)
    bench.wait(lambda: over(bench))
    other.engine.clip.background.pause(True)
    other.open(tiny, clip)
    for frame in (7, 19):
        other.session.update_view(frame=frame)
        other.wait(lambda: other.session.latents is not None)
        one = bench.session.document.latents(frame).position  # type: ignore[union-attr]
        two = other.session.latents.position  # type: ignore[union-attr]
        assert float((one - two).abs().max()) < 1e-5
    assert len(other.session.document.encoded) <= 4


def test_it_waits_and_goes_on(bench: Bench, tiny: Path, clip: Path):
    bench.engine.clip.background.pause(True)
    bench.open(tiny, clip)
    bench.run_posted()
    time.sleep(0.05)
    bench.run_posted()
    assert len(bench.session.document.encoded) <= 2
    assert bench.engine.clip.background.progress.paused
    bench.engine.clip.background.pause(False)
    bench.wait(lambda: over(bench))


def test_it_gives_way_to_a_gesture(bench: Bench, tiny: Path, tmp_path: Path):
    bench.open(tiny, write_clip(tmp_path / "long.mp4", 80))
    bench.session.preview(MoveParticles(0, (0,), ((0.1, 0.1),)))
    for _ in range(20):
        bench.run_posted()
        time.sleep(0.01)
    held = len(bench.session.document.encoded)
    time.sleep(0.1)
    bench.run_posted()
    assert len(bench.session.document.encoded) == held < 80
    bench.session.commit()
    bench.wait(lambda: over(bench))
    assert bench.session.document.edited.keys() == {0}


def test_edits_survive_what_is_encoded_behind_them(bench: Bench, tiny: Path, clip: Path):
    bench.open(tiny, clip)
    bench.session.commit(MoveParticles(0, (1,), ((0.3, -0.2),)))
    before = bench.session.document
    bench.wait(lambda: over(bench))
    assert bench.session.document is before
    assert len(bench.session.history.entries) == 1
    assert bench.session.latents.rows("position")[1] == pytest.approx([0.3, -0.2])  # type: ignore
    bench.session.undo()
    assert bench.session.latents is bench.session.document.original(0)


def test_neighbouring_frames_are_linked_and_the_selection_follows(
    bench: Bench, tiny: Path, clip: Path
):
    bench.open(tiny, clip)
    bench.wait(lambda: over(bench))
    session = bench.session
    assert all(session.scene.is_matched(frame) for frame in range(24))
    for frame in range(24):
        count = session.document.latents(frame).count  # type: ignore[union-attr]
        assert sorted(session.scene.numbers(frame)) == list(range(count))
    session.update_view(selection=frozenset({1}))
    number = session.scene.numbers(0)[1]
    session.update_view(frame=20)
    (row,) = session.view.selection
    assert session.scene.numbers(20)[row] == number
    session.update_view(raw_numbers=True)
    assert session.scene.numbers(20) == session.latents.topology.identity  # type: ignore[union-attr]


def test_stills_of_a_folder_are_not_linked(bench: Bench, tiny: Path, folder: Path):
    bench.open(tiny, folder)
    bench.session.update_view(frame=1)
    bench.wait(lambda: bench.session.latents is not None)
    assert not bench.session.scene.is_matched(1)
    assert bench.engine.clip.background.progress.total == 0


def test_the_input_is_shown_before_the_model_answers(make_bench: MakeBench, tiny: Path, clip: Path):
    class Stuck(ModelHost):
        def encode(self, frame: int, known: Encoding | None = None, picture: Bytes | None = None):
            while frame == 9 and not bench.posted.empty():
                time.sleep(0.005)
            return super().encode(frame, known, picture)

    bench = make_bench(Stuck())
    bench.engine.clip.background.pause(True)
    bench.open(tiny, clip)
    bench.session.update_view(frame=9)
    bench.wait(lambda: bench.session.picture("input").frame == 9)  # type: ignore[union-attr]


def test_frames_shown_are_those_of_a_decoder_that_never_seeks(
    bench: Bench, tiny: Path, tmp_path: Path
):
    path = write_clip(tmp_path / "exact.mp4", 30, (32, 32))
    with av.open(str(path)) as container:
        want = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    bench.open(tiny, path)
    for frame in np.random.default_rng(0).permutation(30).tolist():
        bench.session.update_view(frame=frame)
        bench.wait(lambda f=frame: bench.session.picture("input").frame == f)  # type: ignore
        shown = bench.session.picture("input")
        np.testing.assert_array_equal(shown.pixels, want[frame])  # type: ignore[union-attr]


def test_while_playing_kept_pictures_are_shown_at_once_and_late_ones_never_go_back(
    bench: Bench, tiny: Path, clip: Path
):
    bench.open(tiny, clip)
    bench.wait(lambda: over(bench))
    session = bench.session
    session.update_view(playing=True)
    for frame in range(1, 24):
        session.update_view(frame=frame)
        shown = session.picture("edited")
        assert shown is not None
        assert shown.frame == frame
    session.update_view(playing=False)
    bench.wait(lambda: bench.is_exact)
    assert session.picture("edited").frame == 23  # type: ignore[union-attr]
    assert session.picture("edited").extras is not None  # type: ignore[union-attr]


def test_closing_in_the_middle_returns_soon(bench: Bench, tiny: Path, tmp_path: Path):
    bench.open(tiny, write_clip(tmp_path / "long.mp4", 120))
    began = time.monotonic()
    bench.engine.close(2.0)
    assert time.monotonic() - began < 2.5


def test_another_clip_takes_over(bench: Bench, tiny: Path, clip: Path, tmp_path: Path):
    bench.open(tiny, clip)
    second = write_clip(tmp_path / "second.mp4", 10)
    bench.engine.open_media(str(second))
    bench.wait(lambda: bench.session.document.media.name == "second.mp4")  # type: ignore
    bench.wait(lambda: bench.engine.clip.background.progress.total == 10 and over(bench))
    assert sorted(bench.session.document.encoded) == list(range(10))


# -- bad input ----------------------------------------------------------------------------------
def test_a_video_of_one_frame_is_a_picture(bench: Bench, tiny: Path, tmp_path: Path):
    bench.open(tiny, write_clip(tmp_path / "one.mp4", 1))
    assert bench.session.document.media.count == 1  # type: ignore[union-attr]
    assert bench.engine.clip.background.progress.total == 0
    bench.wait(lambda: bench.is_exact)


@pytest.mark.parametrize("what", ["empty", "cut"])
def test_a_video_that_cannot_be_read_leaves_what_was_open(
    bench: Bench, tiny: Path, clip: Path, tmp_path: Path, what: str
):
    bench.open(tiny, clip)
    bench.session.commit(MoveParticles(0, (0,), ((0.2, 0.2),)))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"" if what == "empty" else clip.read_bytes()[:700])
    bench.engine.open_media(str(bad))
    bench.wait(lambda: any(notice.level == "error" for notice in bench.notices))
    told = [notice.text for notice in bench.notices if notice.level == "error"]
    assert len(told) == 1
    assert "bad.mp4" in told[0]
    assert bench.session.document.media.name == "clip.mp4"  # type: ignore[union-attr]
    assert len(bench.session.history.entries) == 1


def write_changing(path: Path) -> Path:
    """A stream whose frames change size half-way: two H.264 streams one after the other."""
    with path.open("wb") as sink:
        for size in ((48, 48), (64, 96)):
            part = path.with_name(f"part{size[0]}.h264")
            write_clip(part, 10, size)
            sink.write(part.read_bytes())
    return path


def test_frames_that_change_size_are_scaled_and_said_once(bench: Bench, tiny: Path, tmp_path: Path):
    path = write_changing(tmp_path / "changing.h264")
    media = open_media(path)
    sizes = {media.frame(index).shape for index in range(media.count)}
    assert media.count == 20
    assert sizes == {(48, 48, 3)}
    assert "change size, from 48 x 48 to 96 x 64" in media.warnings[0]
    media.close()
    bench.open(tiny, path)
    bench.wait(lambda: over(bench))
    assert len(bench.session.document.encoded) == 20
    bench.session.update_view(frame=19)
    bench.wait(lambda: bench.session.picture("input").frame == 19)  # type: ignore[union-attr]
    said = [notice for notice in bench.notices if "change size" in notice.text]
    assert [notice.level for notice in said] == ["warning"]


def test_a_frame_that_is_damaged_is_passed_over(
    make_bench: MakeBench, tiny: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
):
    from kpcore.data.media import ClipMedia

    read = ClipMedia.frame

    def frame(self: ClipMedia, index: int):
        if index in (5, 6):
            raise DataError(f"frame {index} of 'clip.mp4' is damaged")
        return read(self, index)

    monkeypatch.setattr(ClipMedia, "frame", frame)
    bench = make_bench()
    bench.open(tiny, clip)
    bench.wait(lambda: over(bench))
    assert bench.engine.clip.background.progress.refused == 2
    assert len(bench.session.document.encoded) == 22
    assert not [notice for notice in bench.notices if notice.level == "error"]
    bench.session.update_view(frame=5)
    bench.wait(lambda: any("damaged" in notice.text for notice in bench.notices))


def test_a_variable_rate_is_kept_and_an_even_one_needs_no_times():
    assert uneven(tuple(index / 30 for index in range(50)), 30.0) == ()
    assert uneven((), None) == ()
    times = (0.0, 0.04, 0.2, 0.24)
    assert uneven(times, 12.5) == times


def test_without_a_model_frames_are_shown_at_their_own_size(bench: Bench, clip: Path):
    bench.engine.open_media(str(clip))
    bench.wait(lambda: bench.session.picture("input") is not None)
    for frame in (11, 3, 23):
        bench.session.update_view(frame=frame)
        bench.wait(lambda f=frame: bench.session.picture("input").frame == f)  # type: ignore
    assert bench.session.picture("input").pixels.shape == (48, 48, 3)  # type: ignore[union-attr]
    assert bench.engine.clip.background.progress.total == 0


def test_a_budget_for_frames_read_ahead_is_kept(bench: Bench, tiny: Path, clip: Path):
    bench.engine.clip.read_ahead.set_limit(5 * 32 * 32 * 3)
    bench.open(tiny, clip)
    for frame in range(24):
        bench.session.update_view(frame=frame)
        bench.wait(lambda f=frame: bench.session.picture("input").frame == f)  # type: ignore
    assert bench.engine.clip.read_ahead.nbytes <= 5 * 32 * 32 * 3
