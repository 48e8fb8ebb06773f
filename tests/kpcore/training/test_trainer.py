from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kpcore import checkpoint, registry
from kpcore.errors import CheckpointError, DataError, InputError, TrainingError
from kpcore.training import events, launch
from kpcore.training.config import DataChoice, TrainRequest
from kpcore.training.events import Event, Metrics, read_events, read_pictures
from kpcore.training.trainer import Trainer
from kpstudio.services.run_reader import RunReader, RunState

Listener = Callable[[Event], None]
E = TypeVar("E", bound=Event)


def _request(**changes: object) -> TrainRequest:
    plain: dict[str, object] = {
        "family": "toy",
        "data": DataChoice("shapes"),
        "steps": 12,
        "device": "cpu",
        "threads": 1,
        "snapshot_every": 5,
        "checkpoint_every": 5,
        "command": ("kp", "train", "toy"),
    }
    return TrainRequest(**{**plain, **changes})  # type: ignore[arg-type]


def _train(folder: Path, *listeners: Listener, **changes: object) -> Event:
    return Trainer(launch.start(_request(**changes), folder), listeners).fit()


def _state(folder: Path) -> RunState:
    """What the studio reads of a run."""
    reader = RunReader(folder)
    reader.refresh()
    return reader.state(time.time())


def _status(folder: Path) -> tuple[str, str]:
    summary = _state(folder).summary
    return summary.status, summary.message


def _told(folder: Path, kind: type[E]) -> list[E]:
    events, _ = read_events(folder / "events.jsonl")
    return [event for event in events if isinstance(event, kind)]


def _signal_at(step: int) -> Listener:
    def listen(event: Event) -> None:
        if isinstance(event, Metrics) and event.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return listen


@pytest.mark.parametrize("preset", ["default", "two"])
def test_a_stopped_and_resumed_run_equals_a_straight_one(
    tmp_path: Path, toy: ModuleType, preset: str
):
    _train(tmp_path / "straight", preset=preset)
    end = _train(tmp_path / "parts", _signal_at(7), preset=preset)
    assert isinstance(end, events.Stopped)
    assert f"kp train --resume {tmp_path / 'parts'}" in end.message
    assert _status(tmp_path / "parts") == ("stopped", end.message)
    end = Trainer(launch.resume(tmp_path / "parts")).fit()
    assert isinstance(end, events.Finished)

    straight = load_file(tmp_path / "straight" / "model.safetensors")
    parts = load_file(tmp_path / "parts" / "model.safetensors")
    assert all(torch.equal(straight[name], parts[name]) for name in straight)
    one, two = _state(tmp_path / "straight"), _state(tmp_path / "parts")
    assert (one.summary.status, two.summary.status) == ("finished", "finished")
    assert one.curves["loss"].steps.tolist() == two.curves["loss"].steps.tolist()
    assert one.curves["loss"].values.tolist() == two.curves["loss"].values.tolist()
    assert [s.step for s in two.snapshots] == [0, 5, 10, 12]


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path: Path, toy: ModuleType):
    _train(tmp_path / "straight")

    class Killed(BaseException):
        pass

    def kill(event: Event) -> None:
        if isinstance(event, Metrics) and event.step == 8:
            raise Killed

    with pytest.raises(Killed):
        _train(tmp_path / "parts", kill)
    Trainer(launch.resume(tmp_path / "parts")).fit()
    straight = load_file(tmp_path / "straight" / "model.safetensors")
    parts = load_file(tmp_path / "parts" / "model.safetensors")
    assert all(torch.equal(straight[name], parts[name]) for name in straight)
    steps = _state(tmp_path / "parts").curves["loss"].steps.tolist()
    assert steps == sorted(set(steps))


def test_the_loss_falls_and_the_seed_decides(tmp_path: Path, toy: ModuleType):
    few = DataChoice("shapes", pool=2)
    _train(tmp_path / "a", steps=100, data=few, learning_rate=0.03, snapshot_every=100)
    _train(tmp_path / "b", steps=3)
    _train(tmp_path / "c", steps=3, seed=1)
    losses = _state(tmp_path / "a").curves["error"].values
    assert losses[-1] < 0.8 * losses[0]
    weights = [load_file(tmp_path / name / "model.safetensors")["paint.weight"] for name in "bc"]
    assert not torch.equal(*weights)


def test_validation_names_the_best_checkpoint(tmp_path: Path, toy: ModuleType):
    _train(tmp_path / "run", steps=40, checkpoint_every=20)
    validations = _told(tmp_path / "run", events.Validation)
    assert [v.step for v in validations] == [20, 40]
    best = max(validations, key=lambda v: v.psnr_db).step
    written = _told(tmp_path / "run", events.CheckpointWritten)
    assert [e.step for e in written if e.best][-1] == best
    card = checkpoint.read_manifest(tmp_path / "run" / "model.safetensors").card
    assert card["figures"]["held_out_psnr_db"] == pytest.approx(validations[-1].psnr_db, abs=1e-4)
    assert card["command"] == "kp train toy"


def test_snapshots_hold_pictures_latents_and_weights(tmp_path: Path, toy: ModuleType):
    _train(tmp_path / "run")
    run = _state(tmp_path / "run")
    first, last = (read_pictures(run.path, run.snapshots[n]) for n in (0, -1))
    assert first.originals.shape == first.reconstructions.shape == (8, 16, 16, 3)
    assert first.originals.dtype == first.reconstructions.dtype == np.uint8
    assert first.latents["position"].shape == (8, 3, 2)
    assert not np.array_equal(first.reconstructions, last.reconstructions)
    weights = run.weights(run.snapshots[-1])
    assert weights is not None
    model = checkpoint.load(weights)
    image = torch.from_numpy(last.originals).permute(0, 3, 1, 2).float() / 255.0
    drawn = model.decode(model.encode(image).latents).image.permute(0, 2, 3, 1) * 255.0
    assert np.abs(drawn.detach().numpy() - last.reconstructions).max() <= 2.0


def test_nan_stops_with_step_term_and_last_good_checkpoint(tmp_path: Path, toy: ModuleType):
    with pytest.raises(TrainingError, match=r"step 8: loss term 'size'.*step_00000005") as caught:
        _train(tmp_path / "run", overrides=("spoil_at=7",))
    assert _status(tmp_path / "run") == ("failed", str(caught.value))
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert torch.isfinite(
        load_file(tmp_path / "run" / "checkpoints" / "step_00000005.safetensors")["paint.weight"]
    ).all()
    assert not (tmp_path / "run" / "checkpoints" / "step_00000010.safetensors").exists()


def test_nan_that_breaks_the_model_before_it_is_read_is_still_named(
    tmp_path: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    encode = toy.Toy.encode

    def brittle(self: torch.nn.Module, image: torch.Tensor, reference: object = None) -> object:
        encoding = encode(self, image)
        if not torch.isfinite(encoding.latents.position).all():
            raise IndexError("index -9223372036854775278 is out of bounds")
        return encoding

    monkeypatch.setattr(toy.Toy, "encode", brittle)
    with pytest.raises(TrainingError, match=r"step 7: loss term 'size'.*step_00000005"):
        _train(tmp_path / "run", steps=80, overrides=("spoil_at=6",))


def test_a_model_that_breaks_tells_its_own_error(
    tmp_path: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    def broken(self: torch.nn.Module, image: torch.Tensor, reference: object = None) -> object:
        raise IndexError("no such particle")

    job = launch.start(_request(), tmp_path / "run")
    monkeypatch.setattr("kpcore.training.probe.look", lambda *_: b"")
    monkeypatch.setattr(toy.Toy, "encode", broken)
    with pytest.raises(IndexError, match="no such particle"):
        Trainer(job).fit()
    assert _status(tmp_path / "run") == ("failed", "no such particle")


def test_a_full_disk_leaves_older_checkpoints_and_the_run(
    tmp_path: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    replace = os.replace

    def full(source: str, target: Path) -> None:
        if "step_00000010" in str(target):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    end = _train(tmp_path / "run")
    assert isinstance(end, events.Finished)
    warnings = [event.message for event in _told(tmp_path / "run", events.Warned)]
    assert len(warnings) == 2
    assert "No space left" in warnings[1]
    assert "last good checkpoint is step_00000005" in warnings[1]
    assert not list((tmp_path / "run" / "checkpoints").glob(".*"))
    assert not (tmp_path / "run" / "checkpoints" / "step_00000010.safetensors").exists()
    assert (tmp_path / "run" / "checkpoints" / "step_00000005.safetensors").exists()


def test_a_disk_full_to_the_end_fails_the_run(
    tmp_path: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    replace = os.replace

    def full(source: str, target: Path) -> None:
        if "step_00000012" in str(target):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError, match="last good checkpoint is step_00000010") as caught:
        _train(tmp_path / "run")
    monkeypatch.undo()
    assert f"the trained model is in {tmp_path / 'run' / 'model.safetensors'}" in str(caught.value)
    assert checkpoint.read_manifest(tmp_path / "run" / "model.safetensors").step == 12
    assert _status(tmp_path / "run")[0] == "failed"


def test_a_folder_in_use_is_left_alone(tmp_path: Path, toy: ModuleType):
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(InputError, match="already in use"):
        launch.start(_request(), tmp_path)
    assert os.listdir(tmp_path) == ["holiday.txt"]


def test_bad_data_leaves_no_folder(tmp_path: Path, toy: ModuleType):
    with pytest.raises(DataError, match="shaps"):
        launch.start(_request(data=DataChoice("shaps")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_goes_on_only_when_told_further(tmp_path: Path, toy: ModuleType):
    _train(tmp_path / "run")
    with pytest.raises(TrainingError, match="all its 12 steps"):
        launch.resume(tmp_path / "run")
    Trainer(launch.resume(tmp_path / "run", steps=15)).fit()
    assert checkpoint.read_manifest(tmp_path / "run" / "model.safetensors").step == 15


def test_a_damaged_checkpoint_leaves_the_one_before(tmp_path: Path, toy: ModuleType):
    _train(tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "step_00000012.safetensors"
    last.write_bytes(last.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match=r"cut short.*delete it to resume"):
        launch.resume(tmp_path / "run", steps=15)
    last.unlink()
    assert launch.resume(tmp_path / "run", steps=15).resume == "step_00000010"


def test_a_run_without_checkpoint_says_how_to_begin_again(tmp_path: Path, toy: ModuleType):
    launch.start(_request(), tmp_path / "run")
    with pytest.raises(TrainingError, match="start the run again: kp train toy"):
        launch.resume(tmp_path / "run")


def test_a_video_holds_out_its_end(tmp_path: Path, toy: ModuleType):
    import imageio.v3 as iio

    frames = np.random.default_rng(0).integers(0, 255, (20, 32, 48, 3), dtype=np.uint8)
    iio.imwrite(tmp_path / "città più.mp4", frames, fps=10)
    choice = DataChoice(str(tmp_path / "città più.mp4"), held_out="5", stride=1)
    job = launch.start(_request(data=choice), tmp_path / "run")
    assert job.held_out is not None
    assert (len(job.source), len(job.held_out)) == (15, 5)
    Trainer(job).fit()
    data = checkpoint.read_manifest(tmp_path / "run" / "model.safetensors").data
    assert data["framing"]["fit"] == "crop"
    assert data["held_out"]


def test_overrides_take_values_as_kp_models_shows_them():
    config = registry.get("dlp-object").presets["default"].config
    for text in ("(8, 16)", "[8, 16]", "(8,16,)"):
        changed = launch.override(
            config, (f"prior_channels={text}", "tps_pairs=True", "prior=random")
        )
        assert changed.prior_channels == (8, 16)
        assert changed.tps_pairs is True
        assert changed.prior == "random"
    assert launch.override(config, ("tps_pairs=true",)).tps_pairs is True


@pytest.mark.parametrize(
    ("text", "value"),
    [("", 0.1), ("3", 3), ("0", 0), ("0.25", 0.25), ("a.mp4,b.mp4", ("a.mp4", "b.mp4"))],
)
def test_held_out_words(text: str, value: object):
    assert launch.parse_held_out(text) == value


def test_overrides(toy: ModuleType):
    config = toy.ToyConfig()
    assert launch.override(config, ("particles=5", "phases=2")) == toy.ToyConfig(5, 2)
    with pytest.raises(InputError, match="Did you mean 'particles'"):
        launch.override(config, ("particle=5",))
    with pytest.raises(InputError, match="particles"):
        launch.override(config, ("particles=many",))


def test_a_run_can_begin_with_the_weights_of_another(tmp_path: Path, toy: ModuleType) -> None:
    _train(tmp_path / "first")
    trained = tmp_path / "first" / "model.safetensors"
    job = launch.start(_request(weights=str(trained), seed=5), tmp_path / "second")
    have, want = job.model.state_dict(), load_file(trained)
    assert all(torch.equal(have[name], value) for name, value in want.items())
    assert job.record.weights == str(trained)
    Trainer(job).fit()
    resumed = launch.resume(tmp_path / "second", steps=20)
    assert resumed.record.weights == str(trained)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family": "lavae", "preset": "tiny"}, "own family"),
        ({"overrides": ("particles=7",)}, "do not fit"),
    ],
)
def test_weights_of_another_model_are_refused(
    tmp_path: Path, toy: ModuleType, changes: dict[str, object], said: str
) -> None:
    _train(tmp_path / "first")
    weights = str(tmp_path / "first" / "model.safetensors")
    with pytest.raises((CheckpointError, InputError), match=said):
        launch.start(_request(weights=weights, **changes), tmp_path / "second")


def test_numbers_below_the_normal_range_count_as_zero_in_training(tmp_path: Path, toy: ModuleType):
    can = torch.set_flush_denormal(False)
    tiny = torch.tensor([1e-40])
    assert float(tiny * 0.5) > 0.0
    try:
        _train(tmp_path / "run")
        assert (float(tiny * 0.5) == 0.0) == can, "as far as the processor can"
    finally:
        torch.set_flush_denormal(False)
