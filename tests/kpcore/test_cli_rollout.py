"""`kp rollout`: predicted frames as a video, or one sentence and no file."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from kpcore import checkpoint, registry
from kpcore.api import KeypointModel
from kpcore.cli import main
from kpcore.configuration import to_plain
from kpcore.data.video import Video
from kpcore.models.dlp_gcn.model import DLPGCN


def write_video(path: Path, frames: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in range(frames):
            picture = np.full((32, 48, 3), 60, np.uint8)
            picture[10:20, 8 + number : 18 + number] = (220, 40, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A renderer, a predictor around it, and a video of 20 frames."""
    folder = tmp_path_factory.mktemp("rollout")
    torch.manual_seed(0)
    family = registry.get("dlp-compact")
    config = family.presets["tiny"].config
    renderer: KeypointModel = family.build(config)
    renderer.manifest = checkpoint.Manifest(family.name, to_plain(config))
    checkpoint.save(folder / "image.safetensors", renderer, renderer.manifest)
    family = registry.get("dlp-gcn")
    config = family.presets["tiny"].config
    model = family.build(config, renderer=renderer)
    manifest = checkpoint.Manifest(
        family.name,
        to_plain(config),
        data={"options": {"stride": 2}},
        contains=checkpoint.contents(model, family.name),
    )
    checkpoint.save(folder / "predictor.safetensors", model, manifest)
    write_video(folder / "clip.mp4", 20)
    return folder


def rollout(
    folder: Path, out: Path, *words: str, model: str = "predictor", video: str = "clip.mp4"
):
    return main(
        [
            *("rollout", str(folder / f"{model}.safetensors"), str(folder / video)),
            *("-o", str(out), "--device", "cpu", *words),
        ]
    )


def test_a_roll_out_becomes_a_video(folder: Path, tmp_path: Path, capsys):
    out = tmp_path / "out.mp4"
    assert rollout(folder, out, "--from", "6", "--steps", "9") == 0
    assert "9 frame(s) predicted from frames 4, 6" in capsys.readouterr().out
    with Video(out) as video:
        assert len(video) == 9
        assert video.size == (32, 32)
        assert video.fps == pytest.approx(12.5), "the stride of the training"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_it_does_not_depend_on_how_many_frames_are_asked_for(folder: Path, tmp_path: Path):
    for name, steps in (("a.mp4", "2"), ("b.mp4", "8")):
        assert rollout(folder, tmp_path / name, "--from", "6", "--steps", steps) == 0
    with Video(tmp_path / "a.mp4") as a, Video(tmp_path / "b.mp4") as b:
        assert np.abs(a.frame(1).astype(int) - b.frame(1)).max() <= 12


def test_truth_beside_the_prediction_is_black_after_the_end(folder: Path, tmp_path: Path):
    out = tmp_path / "out.mp4"
    words = ["--from", "15", "--steps", "4", "--beside", "--scale", "2"]
    assert rollout(folder, out, *words) == 0
    with Video(out) as video:
        assert video.size == (64, 130)
        assert video.frame(0)[:, :64].mean() > 40
        assert video.frame(3)[:, :60].mean() < 5
        assert video.frame(3)[:, 70:].mean() > 40


def test_futures_in_a_grid_with_their_spread(folder: Path, tmp_path: Path, capsys):
    out, table = tmp_path / "out.mp4", tmp_path / "spread.csv"
    words = ["--from", "6", "--steps", "5", "--futures", "3", "--seed", "4", "--spread", str(table)]
    assert rollout(folder, out, *words) == 0
    assert "spread of 3 futures" in capsys.readouterr().out
    with Video(out) as video:
        assert video.size == (66, 66)
        assert video.frame(0)[40:, 40:].mean() < 8, "no fourth future"
    rows = table.read_text().splitlines()
    assert len(rows) == 6
    assert rows[0].startswith("step")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_no_file_and_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, name: str
):
    advance, calls = DLPGCN.advance, []

    def interrupted(self: DLPGCN, *pair):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), getattr(signal, name))
        return advance(self, *pair)

    monkeypatch.setattr(DLPGCN, "advance", interrupted)
    out = tmp_path / "out.mp4"
    out.write_bytes(b"before")
    code = rollout(folder, out, "--from", "6", "--steps", "50")
    assert code == 128 + getattr(signal, name)
    assert "after 3 of 50 frames" in " ".join(capsys.readouterr().out.split())
    assert len(calls) == 3
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "1"], "use 2 to 19"),
        (["--from", "20"], "frames 0 to 19"),
        (["--from", "-1"], "--from is -1"),
        (["--from", "5", "--steps", "0"], "--steps is 0"),
        (["--from", "5", "--futures", "0"], "--futures is 0"),
        (["--from", "5", "--spread", "a.csv"], "at least 2 futures"),
        (["--from", "5", "--beside", "--futures", "2"], "leave out"),
        (["--from", "5", "--futures", "100000"], "fewer --futures"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    folder: Path, tmp_path: Path, capsys, words: list[str], message: str
):
    assert rollout(folder, tmp_path / "out.mp4", *words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert said.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_another_kind_of_file_is_refused(folder: Path, tmp_path: Path, capsys):
    out = tmp_path / "out.mp4"
    assert rollout(folder, out, "--from", "5", model="image") == 2
    assert "is an image model (dlp-compact)" in " ".join(capsys.readouterr().err.split())
    assert rollout(folder, tmp_path / "out.gif", "--from", "5") == 2
    assert "does not end in .mp4" in " ".join(capsys.readouterr().err.split())
    write_video(folder / "one.mp4", 1)
    assert rollout(folder, out, "--from", "0", video="one.mp4") == 2
    assert "has 1 frame(s); predicting needs 2" in " ".join(capsys.readouterr().err.split())


def test_frames_of_two_sizes_are_refused(folder: Path, tmp_path: Path, capsys):
    for number in range(4):
        size = (40, 32) if number < 2 else (48, 32)
        (folder / "stills").mkdir(exist_ok=True)
        Image.new("RGB", size, (90, 90, 90)).save(folder / "stills" / f"{number}.png")
    assert rollout(folder, tmp_path / "out.mp4", "--from", "3", video="stills") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "frame 3 of 'stills' has 48 x 32 pixels, those before have 40 x 32" in said
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    def full(self: DLPGCN, *_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr(DLPGCN, "advance", full)
    assert rollout(folder, tmp_path / "out.mp4", "--from", "5", "--futures", "2") == 2
    assert "use fewer --futures" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())
