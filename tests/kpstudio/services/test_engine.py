from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import kpcore
from kpstudio.services.decoded import Bytes, Decoded
from kpstudio.services.model_host import ModelHost
from kpstudio.services.pixels import picture_bytes
from kpstudio.session.edits import KeepTop, MoveParticles, Restore, SetPresence
from kpstudio.session.pictures import Picture, Wanted

if TYPE_CHECKING:
    from tests.kpstudio.services.conftest import Bench

MakeBench = Callable[..., "Bench"]
Make = Callable[..., Path]


class GatedHost(ModelHost):
    """Decodes of edits wait at a gate, so that a model is slow for as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.decoded: list[int] = []
        self.fault: Exception | None = None
        self.left_device: str | None = None

    def fall_back_to_cpu(self) -> str | None:
        return self.left_device

    def decode(self, wanted: Wanted, reconstruction: Bytes | None) -> Decoded:
        self.entered.set()
        assert self.gate.wait(30)
        self.decoded.append(wanted.revision)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        return super().decode(wanted, reconstruction)

    @contextmanager
    def held(self) -> Iterator[None]:
        self.gate.clear()
        self.entered.clear()
        try:
            yield
        finally:
            self.gate.set()


def move(row: int, x: float, y: float, frame: int = 0) -> MoveParticles:
    return MoveParticles(frame, (row,), ((x, y),))


def test_opening_shows_input_reconstruction_and_an_exact_picture(
    bench: Bench, tiny: Path, picture: Path
) -> None:
    bench.open(tiny, picture)
    session = bench.session
    assert bench.is_exact
    assert session.document.model.title == "tiny"  # type: ignore[union-attr]
    model = kpcore.load(tiny)
    image = torch.from_numpy(session.picture("input").pixels).permute(2, 0, 1)[None] / 255  # type: ignore[union-attr]
    with torch.inference_mode():
        encoding = model.encode(image)
        want = picture_bytes(model.decode(encoding.latents).image)
    np.testing.assert_array_equal(session.picture("reconstruction").pixels, want)  # type: ignore[union-attr]
    np.testing.assert_array_equal(session.picture("edited").pixels, want)  # type: ignore[union-attr]
    assert not session.picture("difference").pixels.any()  # type: ignore[union-attr]


def test_after_1000_random_moves_the_picture_is_exact_bit_for_bit(
    bench: Bench, tiny: Path, picture: Path
) -> None:
    bench.open(tiny, picture)
    session, rng = bench.session, np.random.default_rng(0)
    for index in range(1000):
        edit = move(int(rng.integers(4)), *rng.uniform(-1, 1, 2).tolist())
        session.preview(edit)
        if index % 50 == 49:
            session.commit()
        if index % 7 == 0:
            bench.run_posted()
    bench.wait(lambda: bench.is_exact)
    shown = session.picture("edited")
    assert shown is not None
    model = kpcore.load(tiny)
    encoding = session.document.encoded[0]
    with torch.inference_mode():
        incremental = model.decoder_for(encoding)(session.latents).image
        pure = model.decode(session.latents, encoding.context).image
    np.testing.assert_array_equal(shown.pixels, picture_bytes(incremental))
    assert float((incremental - pure).abs().max()) <= 1e-5


def test_a_slow_decoder_never_holds_up_the_hand(
    make_bench: MakeBench, tiny: Path, picture: Path
) -> None:
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    with host.held():
        for index in range(100):
            bench.session.preview(move(0, index / 100, 0.0))
            shown = bench.session.picture("edited")
            assert shown is not None
            assert (shown.tier, shown.revision) == ("preview", bench.session.revision)
        bench.session.commit()
    bench.wait(lambda: bench.is_exact)
    assert len(host.decoded) <= 2  # the one under way and the last: nothing queued up between


def test_previews_move_on_to_the_newer_background(
    make_bench: MakeBench, tiny: Path, picture: Path
) -> None:
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    pictures: list[Picture] = []
    bench.session.picture_changed.connect(
        lambda role, shown: pictures.append(shown) if role == "edited" else None
    )
    with host.held():
        bench.session.preview(move(0, 0.5, 0.0))
        assert host.entered.wait(30)
        bench.session.preview(move(0, 0.6, 0.0))
    bench.wait(lambda: bench.is_exact)
    revisions = [shown.revision for shown in pictures]
    assert revisions == sorted(revisions)
    assert pictures[-1].tier == "exact"


@pytest.fixture
def drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are found to be faster with drafts."""
    monkeypatch.setattr("kpcore.drafting.gains_by_drafts", lambda work: True)


@pytest.mark.usefixtures("drafts")
def test_a_moving_hand_is_answered_by_drafts_and_a_resting_one_exactly(
    bench: Bench, tiny: Path, picture: Path
) -> None:
    bench.open(tiny, picture)
    session = bench.session
    tiers: list[tuple[str, int]] = []
    session.picture_changed.connect(
        lambda role, shown: tiers.append((shown.tier, shown.revision)) if role == "edited" else None
    )
    session.preview(move(0, 0.4, 0.0))
    held = session.revision
    bench.wait(lambda: bench.is_exact)  # the button is still down
    assert [tier for tier, revision in tiers if revision == held] == ["preview", "draft", "exact"]
    session.commit()
    bench.wait(lambda: bench.is_exact)
    assert "draft" not in [tier for tier, revision in tiers if revision > held]


def tier_of(bench: Bench) -> str:
    shown = bench.session.picture("edited")
    assert shown is not None
    return shown.tier


@pytest.mark.usefixtures("drafts")
def test_a_resting_hand_gets_the_exact_picture_though_lesser_work_waits(
    bench: Bench, tiny: Path, picture: Path
) -> None:
    bench.open(tiny, picture)
    bench.session.preview(move(0, 0.4, 0.0))
    bench.engine.later(lambda host: None)  # a piece of a roll-out, which may wait
    bench.wait(lambda: bench.is_exact)


@pytest.mark.usefixtures("drafts")
def test_an_edit_that_is_taken_back_while_its_draft_rests_is_not_decoded_again(
    make_bench: MakeBench, tiny: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kpstudio.services.engine.RESTED_S", 1.0)
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    bench.session.preview(move(0, 0.4, 0.0))
    bench.wait(lambda: tier_of(bench) == "draft")
    bench.session.cancel()
    bench.wait(lambda: bench.is_exact)
    finished: list[bool] = []
    bench.engine.later(lambda _: finished.append(True))  # after the rest, for it is less urgent
    bench.wait(lambda: finished)
    assert len(host.decoded) == 1


@pytest.mark.usefixtures("drafts")
def test_a_film_of_a_script_has_no_drafts(bench: Bench, tiny: Path, picture: Path) -> None:
    bench.open(tiny, picture)
    bench.engine.makes_drafts = False
    tiers: list[str] = []
    bench.session.picture_changed.connect(lambda role, shown: tiers.append(shown.tier))
    bench.session.preview(move(0, 0.4, 0.0))
    bench.wait(lambda: bench.is_exact)
    assert "draft" not in tiers


def test_no_drafts_where_they_are_not_faster(
    make_bench: MakeBench, tiny: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kpcore.drafting.gains_by_drafts", lambda work: False)
    bench = make_bench()
    bench.open(tiny, picture)
    tiers: list[str] = []
    bench.session.picture_changed.connect(lambda role, shown: tiers.append(shown.tier))
    bench.session.preview(move(0, 0.4, 0.0))
    bench.wait(lambda: bench.is_exact)
    assert "draft" not in tiers


def test_a_swapped_model_never_shows_the_old_ones_picture(
    make_bench: MakeBench, tiny: Path, picture: Path, make_checkpoint: Make
) -> None:
    other = make_checkpoint("other", seed=1)
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    with host.held():
        bench.session.commit(move(0, 0.5, 0.5))
        assert host.entered.wait(30)
        bench.engine.open_model(str(other))
    bench.wait(lambda: bench.session.document.model.title == "other")  # type: ignore[union-attr]
    assert bench.session.picture("edited") is None
    bench.wait(lambda: bench.is_exact)
    encoding = bench.session.document.encoded[0]
    with torch.inference_mode():
        want = picture_bytes(kpcore.load(other).decode(encoding.latents).image)
    np.testing.assert_array_equal(bench.session.picture("edited").pixels, want)  # type: ignore[union-attr]


def test_edits_undo_and_the_filter_end_exact(bench: Bench, tiny: Path, picture: Path) -> None:
    bench.open(tiny, picture)
    session = bench.session
    unedited = session.picture("edited").pixels  # type: ignore[union-attr]
    for edit in (move(1, 0.2, 0.2), SetPresence(0, (0,), (0.0,)), KeepTop(2)):
        session.commit(edit)
        bench.wait(lambda: bench.is_exact)
    extras = session.picture("edited").extras  # type: ignore[union-attr]
    assert extras is not None
    assert extras["masks"].shape == (4, 32, 32)
    assert extras["glimpses"].shape == (4, 8, 8, 4)
    session.go_to(0)
    bench.wait(lambda: bench.is_exact)
    np.testing.assert_array_equal(session.picture("edited").pixels, unedited)  # type: ignore[union-attr]
    session.commit(Restore(0))
    bench.wait(lambda: bench.is_exact)
    np.testing.assert_array_equal(session.picture("edited").pixels, unedited)  # type: ignore[union-attr]


def test_frames_come_back_with_their_edits(bench: Bench, tiny: Path, folder: Path) -> None:
    bench.open(tiny, folder)
    session = bench.session
    session.commit(move(0, 0.4, 0.4))
    bench.wait(lambda: bench.is_exact)
    edited, first = session.picture("edited").pixels, session.picture("input").pixels  # type: ignore[union-attr]
    bench.wait(lambda: 1 in session.document.encoded)  # fetched before it was asked for
    session.update_view(frame=2)
    bench.wait(lambda: bench.is_exact and session.picture("edited").frame == 2)  # type: ignore[union-attr]
    assert session.picture("input").frame == 2  # type: ignore[union-attr]
    bench.engine._frames.clear()  # as when memory ran short
    session.update_view(frame=0)
    bench.wait(lambda: bench.is_exact and session.picture("input").frame == 0)  # type: ignore[union-attr]
    np.testing.assert_array_equal(session.picture("input").pixels, first)  # type: ignore[union-attr]
    np.testing.assert_array_equal(session.picture("edited").pixels, edited)  # type: ignore[union-attr]


def test_a_damaged_frame_is_told_when_it_is_shown_and_not_before(
    bench: Bench, tiny: Path, folder: Path
) -> None:
    (folder / "1.png").write_bytes(b"no picture")
    bench.open(tiny, folder)
    bench.engine.open_model(str(tiny))  # done after the frame was prepared in vain
    bench.wait(lambda: bench.session.document.model.key == 2 and bench.is_exact)  # type: ignore[union-attr]
    assert bench.notices == []
    bench.session.update_view(frame=1)
    bench.wait(lambda: bench.notices)
    assert "1.png" in bench.notices[-1].text
    bench.session.update_view(frame=2)
    bench.wait(lambda: bench.is_exact and bench.session.picture("edited").frame == 2)  # type: ignore[union-attr]


def test_media_without_a_model_is_shown_and_says_what_to_do(
    bench: Bench, make_picture: Make
) -> None:
    bench.engine.open_media(str(make_picture("wide", size=(20, 30))))
    bench.wait(lambda: bench.session.picture("input"))
    assert bench.session.picture("input").pixels.shape == (20, 30, 3)  # type: ignore[union-attr]
    assert "Open a checkpoint" in bench.notices[-1].text


def test_a_model_without_media_says_what_to_do(bench: Bench, tiny: Path) -> None:
    bench.engine.open_model(str(tiny))
    bench.wait(lambda: bench.session.document.model)
    assert "Open an image" in bench.notices[-1].text


def test_other_sizes_are_framed_as_the_checkpoint_says(
    bench: Bench, tiny: Path, make_picture: Make, make_checkpoint: Make
) -> None:
    wide = make_picture("wide", size=(40, 100))
    bench.open(tiny, wide)
    assert bench.session.picture("input").pixels.shape == (32, 32, 3)  # type: ignore[union-attr]
    assert "the model sees 40 x 40 of its 100 x 40 pixels, at 32 x 32" in bench.notices[-1].text
    squeezing = make_checkpoint("squeeze", data={"framing": {"fit": "stretch", "box": None}})
    bench.engine.open_model(str(squeezing))
    bench.wait(lambda: bench.session.document.model.title == "squeeze" and bench.is_exact)  # type: ignore[union-attr]
    assert "squeezed from 100 x 40 to 32 x 32" in bench.notices[-1].text


@pytest.mark.parametrize("kind", ["model", "media"])
def test_a_failed_open_says_why_and_leaves_what_was_open(
    bench: Bench, tiny: Path, picture: Path, kind: str
) -> None:
    bench.open(tiny, picture)
    bench.session.commit(move(0, 0.1, 0.1))
    before = bench.session.document
    if kind == "model":
        bench.engine.open_model(str(picture))
    else:
        bench.engine.open_media(str(tiny))
    bench.wait(lambda: any(notice.level == "error" for notice in bench.notices))
    assert bench.session.document is before
    bench.session.commit(move(0, 0.2, 0.1))
    bench.wait(lambda: bench.is_exact)


def test_both_or_neither(bench: Bench, tiny: Path, picture: Path, tmp_path: Path) -> None:
    bench.open(tiny, picture)
    before = bench.session.document
    bench.engine.open_pair(str(tmp_path / "none.safetensors"), str(picture))
    bench.wait(lambda: bench.notices and bench.notices[-1].level == "error")
    assert bench.session.document is before


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_an_absent_device_is_named(bench: Bench, tiny: Path) -> None:
    bench.engine.open_model(str(tiny), "cuda")
    bench.wait(lambda: bench.notices)
    assert "no cuda device" in bench.notices[-1].text
    assert bench.session.document.model is None


def test_weights_of_nan_are_refused(
    bench: Bench, tmp_path: Path, tiny: Path, picture: Path
) -> None:
    bench.open(tiny, picture)
    model = kpcore.load(tiny)
    next(model.parameters()).data.fill_(float("nan"))
    bad = tmp_path / "nan.safetensors"
    kpcore.checkpoint.save(bad, model, model.manifest)
    bench.engine.open_model(str(bad))
    bench.wait(lambda: bench.notices and bench.notices[-1].level == "error")
    assert "NaN" in bench.notices[-1].text
    assert bench.session.document.model.title == "tiny"  # type: ignore[union-attr]


def test_a_picture_of_nan_keeps_the_last_good_one(bench: Bench, tiny: Path, picture: Path) -> None:
    bench.open(tiny, picture)
    good = bench.session.picture("edited")
    encoding = bench.session.document.encoded[0]
    broken = encoding.latents.with_rows("feature", (0,), ((float("nan"),) * 4,))
    document = bench.session.document
    wanted = Wanted(document.model.key, document.media.key, 0, 99, broken, encoding, True)  # type: ignore[union-attr]
    bench.engine._compositor = None
    bench.engine._ask(wanted)
    bench.wait(lambda: bench.notices and "NaN" in bench.notices[-1].text)
    assert bench.session.picture("edited") is good


def test_a_fault_of_the_model_is_told_once_and_the_next_edit_works(
    make_bench: MakeBench, tiny: Path, picture: Path
) -> None:
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    host.fault = ValueError("odd")
    bench.session.commit(move(0, 0.1, 0.1))
    bench.wait(lambda: bench.notices)
    assert "odd" in bench.notices[-1].text
    assert "Traceback" in bench.notices[-1].details
    bench.session.commit(move(0, 0.2, 0.1))
    bench.wait(lambda: bench.is_exact)


def test_out_of_memory_goes_on_on_the_cpu(make_bench: MakeBench, tiny: Path, picture: Path) -> None:
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    host.left_device = "cuda:0"
    host.fault = torch.OutOfMemoryError("CUDA out of memory")
    bench.session.commit(move(0, 0.1, 0.1))
    bench.wait(lambda: bench.is_exact)
    assert bench.notices[-1].text == "cuda:0 is out of memory, so the model now runs on the CPU"


def test_out_of_memory_on_the_cpu_is_a_sentence(
    make_bench: MakeBench, tiny: Path, picture: Path
) -> None:
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    host.fault = RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
    bench.session.commit(move(0, 0.1, 0.1))
    bench.wait(lambda: bench.notices)
    assert "out of memory" in bench.notices[-1].text
    assert not bench.notices[-1].details


def test_close_returns_during_a_decode(make_bench: MakeBench, tiny: Path, picture: Path) -> None:
    host = GatedHost()
    bench = make_bench(host)
    bench.open(tiny, picture)
    with host.held():
        bench.session.commit(move(0, 0.5, 0.5))
        assert host.entered.wait(30)
        started = time.monotonic()
        bench.engine.close(timeout_s=0.2)
        assert time.monotonic() - started < 2.0
    shown = bench.session.picture("edited")
    bench.run_posted()
    assert bench.session.picture("edited") is shown
    bench.session.commit(move(0, 0.1, 0.5))  # nobody listens any more
    bench.run_posted()


def test_moving_to_a_device_keeps_the_edits(bench: Bench, tiny: Path, picture: Path) -> None:
    bench.open(tiny, picture)
    bench.session.commit(move(0, 0.5, 0.5))
    latents = bench.session.latents
    seen: list[Any] = []
    bench.engine.busy_changed.connect(seen.append)
    bench.engine.set_device("cpu")
    bench.wait(lambda: bench.is_exact and "" in seen)
    assert bench.session.latents is latents
    assert seen[0] == "Moving the model to cpu…"


def test_timings_tell_tier_device_and_cache(bench: Bench, tiny: Path, picture: Path) -> None:
    bench.open(tiny, picture)
    bench.session.commit(move(0, 0.5, 0.5))
    bench.wait(lambda: bench.is_exact)
    timings = bench.engine.timings
    assert timings.tier == "exact"
    assert timings.device == "cpu"
    assert timings.decode_ms > 0
    assert timings.preview_ms > 0
    assert timings.cache_mb > 0
    assert bench.engine.devices()[0] == "cpu"
