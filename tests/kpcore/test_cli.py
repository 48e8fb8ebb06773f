from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

import kpcore
from kpcore import checkpoint
from kpcore.cli import main

TRAIN = ["train", "toy", "--data", "shapes", "--steps", "4", "--device", "cpu", "--threads", "1"]


@pytest.fixture
def saved(tmp_path: Path, toy: ModuleType) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "toy.safetensors"
    manifest = checkpoint.Manifest("toy", {"particles": 3}, card={"figures": {"psnr_db": 20.5}})
    checkpoint.save(path, toy.Toy(toy.ToyConfig()), manifest)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of several sizes and kinds."""
    path = tmp_path / "bilder é"
    path.mkdir()
    for name, size, mode in (
        ("a.png", (20, 30), "RGB"),
        ("b.png", (1, 1), "L"),
        ("c.jpg", (40, 16), "CMYK"),
    ):
        Image.new(mode, size).save(path / name)
    return path


def _refused(capsys: pytest.CaptureFixture[str], *words: object, status: int = 2) -> str:
    """Run `kp`; return the one sentence on stderr."""
    assert main([str(word) for word in words]) == status
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err


def test_version_and_help(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kp {kpcore.__version__}\n"
    for words in ([], ["--help"]):
        assert main(words) == 0
        text = capsys.readouterr().out
        for command in ("train", "models", "info", "encode", "import"):
            assert command in text


def test_every_option_of_train_is_explained(capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--data", "--preset", "--held-out", "--snapshot-every", "--set", "--resume"):
        assert option in text
    assert "Ctrl-C" in text


@pytest.mark.parametrize("command", ["train", "eval"])
def test_help_says_what_may_stand_for_data(command: str, capsys: pytest.CaptureFixture[str]):
    assert main([command, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Video, folder" in text
    assert "procedural scenes by name, or NAME:FOLDER of a public data set" in text
    assert "mnist-hard" in text
    assert "--data celeba:/data/celeba" in text


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]):
    for command in ("train", "models", "info", "encode", "import"):
        assert main([command, "--help"]) == 0
        assert f"usage: kp {command}" in capsys.readouterr().out
        assert main([command, "--no-such-option"]) == 2
        assert f"kp {command} --help" in capsys.readouterr().err


def test_help_and_info_do_not_load_torch(saved: Path):
    code = (
        "import sys\nfrom kpcore.cli import main\n"
        f"assert main(['--help']) == 0\nassert main(['info', {str(saved)!r}]) == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# -- train ---------------------------------------------------------------------------------------
def test_train_and_resume(tmp_path: Path, toy: ModuleType, capsys: pytest.CaptureFixture[str]):
    run = tmp_path / "run"
    assert main([*TRAIN, "--out", str(run), "--set", "particles=5"]) == 0
    text = capsys.readouterr().out
    assert "step 4/4" in text
    assert "images/s" in text
    assert "held-out PSNR" in text
    assert text.endswith(f"{run / 'model.safetensors'}\n")
    assert checkpoint.read_manifest(run / "model.safetensors").config["particles"] == 5
    assert main(["train", "--resume", str(run), "--steps", "6"]) == 0
    assert "going on after step 4 of 6" in capsys.readouterr().out
    assert main(["info", str(run / "model.safetensors")]) == 0
    assert "held_out_psnr_db" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "toyy", "--data", "shapes"], "Did you mean 'toy'"),
        (["train", "toy", "--data", "shaps"], "Did you mean 'shapes'"),
        (["train", "toy", "--data", "celebra:."], "Did you mean 'celeba'"),
        (["train", "toy", "--data", "clevr-records"], "give clevr-records:FOLDER"),
        (["train", "toy", "--data", "shapes", "--preset", "tinny"], "Did you mean 'tiny'"),
        (["train", "toy", "--data", "shapes", "--set", "particle=3"], "Did you mean 'particles'"),
        (["train", "toy", "--data", "shapes", "--set", "particles"], "field=value"),
        (["train", "toy", "--data", "shapes", "--steps", "0"], "steps is 0"),
        (["train", "toy", "--data", "shapes", "--batch", "-3"], "batch is -3"),
        (["train", "toy", "--data", "shapes", "--lr", "-1"], "learning_rate is -1"),
        (["train", "toy", "--data", "shapes", "--device", "cuda:99"], "no cuda:99 device"),
        (["train", "toy", "--data", "shapes", "--seed", "-1"], "seed is -1"),
        (["train", "toy", "--data", "shapes", "--stride", "3"], "leave out --stride"),
        (["train", "toy", "--data", "shapes", "--held-out", "3"], "leave out --held-out"),
        (["train", "toy", "--data", ".", "--pool", "9"], "leave out --pool"),
        (["train", "toy", "--data", "celeba:.", "--held-out", "3"], "leave out --held-out"),
        (["train", "toy", "--data", "shapes", "--threads", "-1"], "threads is -1"),
        (["train", "toy", "--data", "shapes", "--set", "particles=few"], "'few'"),
        (["train", "toy"], "--data is missing"),
        (["train"], "FAMILY is missing"),
        (["train", "--resume", "x", "--batch", "3"], "leave out --batch"),
        (["trian"], "Did you mean 'train'"),
    ],
)
def test_mistakes_get_one_sentence(
    toy: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
):
    monkeypatch.chdir(tmp_path)
    assert said in _refused(capsys, *words)
    assert not list(tmp_path.iterdir())


def test_what_is_not_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "not a run directory" in _refused(capsys, "train", "--resume", tmp_path, status=1)


def test_nan_fails_the_run(tmp_path: Path, toy: ModuleType, capsys: pytest.CaptureFixture[str]):
    words = [*TRAIN, "--out", tmp_path / "run", "--set", "spoil_at=2"]
    assert "step 3: loss term 'size'" in _refused(capsys, *words, status=1)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_run_with_a_checkpoint(
    tmp_path: Path,
    toy: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    status: int,
):
    from kpcore.cli.progress import Progress
    from kpcore.training.events import Event, Metrics

    tell = Progress.tell

    def interrupt(self: Progress, event: Event) -> None:
        if isinstance(event, Metrics) and event.step == 2:
            os.kill(os.getpid(), number)
        tell(self, event)

    monkeypatch.setattr(Progress, "tell", interrupt)
    assert main([*TRAIN, "--out", str(tmp_path / "run")]) == status
    assert f"kp train --resume {tmp_path / 'run'}" in capsys.readouterr().out
    monkeypatch.setattr(Progress, "tell", tell)
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0


def test_one_picture_is_data_too(tmp_path: Path, toy: ModuleType, folder: Path):
    for name in ("a.png", "b.png", "c.jpg"):
        words = ["train", "toy", "--data", str(folder / name), *TRAIN[4:]]
        assert main([*words, "--out", str(tmp_path / name)]) == 0


def test_data_that_is_none(tmp_path: Path, toy: ModuleType, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mp4").write_bytes(b"not a video" * 99)
    for name in ("empty", "broken.mp4"):
        words = ["train", "toy", "--data", tmp_path / name, "--out", tmp_path / "run"]
        assert name in _refused(capsys, *words, "--device", "cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(
    tmp_path: Path, toy: ModuleType, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "run"
    assert main([*TRAIN, "--out", str(run)]) == 0
    before = (run / "model.safetensors").read_bytes()
    capsys.readouterr()
    assert f"kp train --resume {run}" in _refused(capsys, *TRAIN, "--out", run)
    assert (run / "model.safetensors").read_bytes() == before


def test_an_out_that_cannot_be_made(
    tmp_path: Path, toy: ModuleType, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("")
    assert "cannot write" in _refused(capsys, *TRAIN, "--out", tmp_path / "file" / "run")


@pytest.mark.cuda
def test_train_on_cuda(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["train", "dlp-compact", "--data", "shapes", "--preset", "tiny", "--steps", "40"]
    assert main([*words, "--device", "cuda", "--out", str(tmp_path / "run")]) == 0
    assert "bf16" in capsys.readouterr().out
    assert main(["train", "--resume", str(tmp_path / "run"), "--steps", "60"]) == 0


@pytest.mark.slow
def test_two_processes_share_a_run(tmp_path: Path):
    words = ["train", "dlp-compact", "--data", "shapes", "--preset", "tiny", "--steps", "3"]
    words += ["--threads", "1", "--device", "cpu", "--out", str(tmp_path / "run")]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    launcher += ["--standalone", "-m", "kpcore"]
    done = subprocess.run(
        [*launcher, *words], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    assert "2 process(es)" in done.stdout
    assert done.stdout.count("done: 3 steps") == 1
    assert checkpoint.read_manifest(tmp_path / "run" / "model.safetensors").step == 3


# -- models, info --------------------------------------------------------------------------------
def test_models_lists_every_family(toy: ModuleType, capsys: pytest.CaptureFixture[str]):
    from kpcore import registry

    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in registry.FAMILIES)
    assert main(["models", "toy"]) == 0
    text = capsys.readouterr().out
    assert "particles" in text
    assert "how many." in text


def test_models_explains_fields_that_a_configuration_inherits(
    toy: ModuleType, capsys: pytest.CaptureFixture[str]
):
    assert main(["models", "dlp-object"]) == 0
    fields, presets = capsys.readouterr().out.split("┃ preset")
    rows = [line.split("│") for line in fields.splitlines() if "│" in line]
    meanings = {row[1].strip(): row[3].strip() for row in rows}
    assert meanings["image_size"].startswith("side of")
    assert meanings["exclusive_patches"]
    assert all(meaning for name, meaning in meanings.items() if name)
    assert "image_size=64" in presets


def test_info_as_json(saved: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(saved), "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["family"] == "toy"
    assert plain["card"]["figures"] == {"psnr_db": 20.5}
    assert plain["weights"] == 4 * 3 * 9 + 4 + 4 * 4 + 1 + 4 * 6 + 6 + 6 * 768 + 768


def test_files_that_are_not_checkpoints(
    tmp_path: Path, saved: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    trap = tmp_path / "model.pth"
    trap.write_bytes(pickle.dumps(print))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(saved.read_bytes()[:-100])
    text = tmp_path / "notes.txt"
    text.write_text("a list of things to do")
    beheaded = tmp_path / "beheaded.safetensors"
    beheaded.write_bytes(saved.read_bytes()[:60])
    cases = (
        (trap, "pickle"),
        (cut, "cut short"),
        (beheaded, "cut short"),
        (text, "not a checkpoint"),
        (tmp_path, "model.safetensors in a run directory"),
    )
    for path, said in cases:
        assert said in _refused(capsys, "info", path)
        assert said in _refused(capsys, "encode", path, folder, "-o", tmp_path / "out.npz")
    assert "cannot read" in _refused(capsys, "info", tmp_path / "none.safetensors")
    assert not (tmp_path / "out.npz").exists()


# -- encode --------------------------------------------------------------------------------------
def test_encode_a_video_to_one_file(
    tmp_path: Path, saved: Path, capsys: pytest.CaptureFixture[str]
):
    import imageio.v3 as iio

    frames = np.random.default_rng(0).integers(0, 255, (9, 32, 48, 3), dtype=np.uint8)
    iio.imwrite(tmp_path / "street.mp4", frames, fps=10)
    words = ["encode", str(saved), str(tmp_path / "street.mp4"), "--every", "4", "--batch", "2"]
    assert main([*words, "-o", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as file:
        assert file["frame"].tolist() == [0, 4, 8]
        assert file["position"].shape == (3, 3, 2)
        assert file["source_size"].tolist() == [32, 48]
        first = file["position"]
    assert main([*words, "-o", str(tmp_path / "o.csv"), "--pictures", str(tmp_path / "p")]) == 0
    rows = (tmp_path / "o.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 * 3
    assert float(rows[1].split(",")[2]) == pytest.approx(float(first[0, 0, 0]))
    assert len(list((tmp_path / "p").glob("*.png"))) == 3


def test_encode_a_folder_of_any_sizes(
    tmp_path: Path, saved: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    said = _refused(capsys, "encode", saved, folder, "-o", tmp_path / "out.npz")
    assert "give a folder" in said
    assert not (tmp_path / "out.npz").exists()
    assert main(["encode", str(saved), str(folder), "-o", str(tmp_path / "out")]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"frame_{n:06d}.{kind}" for n in range(3) for kind in ("npz", "png")]
    with np.load(tmp_path / "out" / "frame_000002.npz") as file:
        assert file["source_size"].tolist() == [16, 40]


def test_encode_tells_what_was_converted(
    tmp_path: Path, saved: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["encode", str(saved), str(folder / "c.jpg"), "-o", str(tmp_path / "o.csv")]) == 0
    assert "CMYK turned into RGB" in capsys.readouterr().out


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("out", ["out.npz", "out.csv", "out"])
def test_encode_to_a_disk_that_refuses(
    tmp_path: Path,
    saved: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    out: str,
):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    said = _refused(capsys, "encode", saved, folder / "a.png", "-o", tmp_path / out)
    assert os.strerror(number) in said
    assert "0.1 MB free" in said
    assert not [path for path in tmp_path.rglob("*out*") if path.is_file()]


def test_encode_mistakes(
    tmp_path: Path, saved: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "broken.mp4").write_bytes(b"not a video" * 99)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    out = tmp_path / "out.npz"
    for name in ("broken.mp4", "broken.png", "none.png"):
        assert name in _refused(capsys, "encode", saved, tmp_path / name, "-o", out)
    (tmp_path / "taken").write_text("mine")
    for name in ("out.txt", tmp_path / "taken"):
        assert "ends in .npz or .csv" in _refused(capsys, "encode", saved, folder, "-o", name)
    assert "no cuda:99" in _refused(
        capsys, "encode", saved, folder, "-o", out, "--device", "cuda:99"
    )
    assert "--every is 0" in _refused(capsys, "encode", saved, folder, "-o", out, "--every", 0)
    assert not out.exists()


# -- import --------------------------------------------------------------------------------------
def test_import_keeps_what_exists(saved: Path, capsys: pytest.CaptureFixture[str]):
    before = saved.read_bytes()
    assert "add --force" in _refused(capsys, "import", "dlp", "x.pth", "-o", saved)
    assert "end in .safetensors" in _refused(capsys, "import", "dlp", "x.pth", "-o", "x.pt")
    assert saved.read_bytes() == before


def test_import_writes_a_checkpoint_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from kpcore import registry
    from kpcore.models.dlp import published

    family = registry.get("dlp-masked")
    config = family.presets["tiny"].config
    model = family.build(config)
    asked: list[object] = []

    def read(path: Path, unsaid: object):
        asked.append(unsaid)
        return family.name, config, model

    monkeypatch.setattr(published, "import_checkpoint", read)
    (tmp_path / "theirs.pth").write_bytes(b"weights")
    out = tmp_path / "ours.safetensors"
    words = ["import", "dlp", str(tmp_path / "theirs.pth"), "-o", str(out)]
    assert main([*words, "--mask-threshold", "0.3"]) == 0
    assert asked == [published.Unsaid(mask_threshold=0.3)]
    opened = kpcore.load(out)
    assert opened.manifest.card["imported_from"] == "theirs.pth"
    state = model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in opened.state_dict().items())


def test_import_of_a_pickle_with_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    _refused(capsys, "import", "dlp", tmp_path / "trap.pth", "-o", tmp_path / "o.safetensors")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "o.safetensors").exists()
