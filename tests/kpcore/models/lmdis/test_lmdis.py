from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from kpcore import registry
from kpcore.api import Batch, Progress
from kpcore.errors import InputError
from kpcore.latents import Latents, Topology
from kpcore.losses.constraints import crowding
from kpcore.models.lmdis.config import LmdisConfig
from kpcore.models.lmdis.model import Lmdis
from kpcore.models.lmdis.networks import describer, detector, painter
from kpcore.models.lmdis.objective import LmdisObjective, Warp, concentration

FAMILY = registry.get("lmdis")
TINY: LmdisConfig = FAMILY.presets["tiny"].config
START = Progress(0, 1000, 0.0)


@pytest.fixture
def model() -> Lmdis:
    torch.manual_seed(0)
    return Lmdis(TINY)


def pictures(count: int = 4, side: int = 32) -> torch.Tensor:
    chance = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, 5, 5, generator=chance)
    return nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)


def weights(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def test_the_networks_have_the_published_number_of_weights() -> None:
    config = LmdisConfig()
    assert weights(detector(config)) == 680_769
    assert weights(describer(config)) == 4_745_280
    assert weights(painter(config)) == 14_367_561


@pytest.mark.parametrize("preset", sorted(set(FAMILY.presets) - {"default", "celeba-30", "cat"}))
def test_every_preset_encodes_and_decodes(preset: str) -> None:
    config = replace(FAMILY.presets[preset].config, width=2)
    model = Lmdis(config).eval()
    with torch.inference_mode():
        image = pictures(1, config.image_size)
        decoding = model.decode(model.encode(image).latents)
    assert decoding.image.shape == image.shape


def test_the_border_has_the_mean_colour_of_the_four_edges(model: Lmdis) -> None:
    image = torch.zeros(1, 3, 32, 32)
    image[0, 0, 0] = 1.0
    padded = model.padded(image)
    assert padded.shape[-1] == 48
    # One edge of ones, and one pixel of the left and of the right edge.
    assert padded[0, 0, 0, 0] == pytest.approx(34 / 128)
    assert torch.equal(padded[..., 8:40, 8:40], image)


def test_a_landmark_lies_at_the_mean_of_its_map(model: Lmdis, monkeypatch) -> None:
    scores = torch.full((1, 5, 48, 48), -30.0)
    scores[:, 4] = 0.0
    scores[0, 1, 12, 30] = 30.0
    monkeypatch.setattr(model.detector, "forward", lambda _: scores)
    found = model.find(torch.rand(1, 3, 48, 48))
    x, y = found.position[0, 1].tolist()
    assert x == pytest.approx((2 * 30 + 1) / 48 - 1, abs=1e-4)
    assert y == pytest.approx((2 * 12 + 1) / 48 - 1, abs=1e-4)
    assert float(found.sigma[0, 1]) < 2e-3
    latents = model.encoding_of(replace(found, descriptor=torch.zeros(1, 5, 4))).latents
    assert latents.position[0, 1, 0] == pytest.approx(x * 48 / 32, abs=1e-4)


def test_losses_are_those_worked_out_by_hand() -> None:
    sigma = torch.tensor([[0.1, 0.2]])
    assert float(concentration(sigma)) == pytest.approx(2 * math.pi * math.e * 0.05, rel=1e-5)
    apart = torch.tensor([[[0.0, 0.0], [0.08, 0.0]]])
    assert float(crowding(apart, 0.08).mean()) == pytest.approx(2 * math.exp(-0.5), rel=1e-5)


def test_a_warp_and_its_picture_agree(model: Lmdis) -> None:
    """What the warped picture shows at p is what its source shows at the place p maps to."""
    side = 48
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    unit = torch.stack([(2 * x + 1) / side - 1, (2 * y + 1) / side - 1])[None]
    torch.manual_seed(3)
    warp = LmdisObjective(model, TINY)._warp(pictures(1, side), START)
    seen = warp.picture(unit)[0, :, 20, 28]
    place = warp.go(unit[:, :, 20, 28][:, None])[0, 0]
    assert place.abs().max() < 0.9, "the test looks inside of the picture"
    assert torch.allclose(seen, place, atol=1e-3)
    assert not torch.allclose(seen, unit[0, :, 20, 28], atol=1e-2)


def test_landmarks_that_follow_the_warp_cost_no_equivariance(model: Lmdis, monkeypatch) -> None:
    """With an unwarped second half, landmarks of both halves agree."""
    objective = LmdisObjective(model.eval(), replace(TINY, brightness=0.0, contrast=(1.0, 1.0)))
    monkeypatch.setattr(objective, "_warp", lambda *_: Warp(lambda points: points))
    still = objective(Batch(pictures()), START).terms["equivariance"]
    monkeypatch.setattr(objective, "_warp", lambda *_: Warp(lambda points: points + 0.2))
    moved = objective(Batch(pictures()), START).terms["equivariance"]
    assert float(still.detach()) < 1e-3
    assert float(moved.detach()) > 1.0


def test_the_reconstruction_counts_ten_times_as_much_after_each_stage(model: Lmdis) -> None:
    whole = LmdisConfig()
    rising = replace(TINY, reconstruction=0.1, reconstruction_rise=whole.reconstruction_rise)
    objective = LmdisObjective(model, rising)
    stages = [objective._rise(Progress(step, 300, 0.0)) for step in (0, 99, 100, 200, 299)]
    assert stages == pytest.approx([0.1, 0.1, 1.0, 10.0, 10.0])


def test_the_gain_concentrates_the_confidence_maps() -> None:
    surest: list[float] = []
    for gain in (1.0, 6.0):
        torch.manual_seed(0)
        sharper = Lmdis(replace(TINY, confidence_gain=gain))
        surest.append(float(sharper.find(sharper.padded(pictures())).maps.amax(1).mean().detach()))
    assert surest[1] > 1.2 * surest[0]
    with pytest.raises(InputError, match="confidence_gain is 0"):
        replace(TINY, confidence_gain=0)


def test_so_many_pictures_of_a_batch_are_reconstructed(model: Lmdis, monkeypatch) -> None:
    decoded: list[int] = []
    decode = model.decode

    def watched(latents, context=None):
        decoded.append(len(latents.position))
        return decode(latents, context)

    monkeypatch.setattr(model, "decode", watched)
    for count, warped in ((0, False), (3, False), (3, True)):
        config = replace(TINY, reconstructed=count, reconstruct_warped=warped)
        report = LmdisObjective(model, config)(Batch(pictures()), START)
        assert torch.isfinite(report.total)
    assert decoded == [4, 3, 6], "the warped pictures come on top"


def test_landmarks_learn_first_and_their_pictures_then(model: Lmdis) -> None:
    objective = LmdisObjective(model, replace(TINY, landmarks_first=0.4))

    def moved_by(step: int) -> set[str]:
        model.zero_grad()
        objective(Batch(pictures()), Progress(step, 1000, 0.0)).total.backward()
        return {
            name.split(".")[0]
            for name, weight in model.named_parameters()
            if weight.grad is not None and weight.grad.abs().max() > 1e-5
        }

    assert moved_by(399) == {"detector"}
    assert moved_by(400) == {"describer", "descriptors", "painter"}
    with pytest.raises(InputError, match="landmarks_first is 1"):
        replace(TINY, landmarks_first=1.0)


def test_no_weight_decays_before_its_time(model: Lmdis) -> None:
    """Adam would bring weights whose only gradient is their decay down to nothing."""
    objective = LmdisObjective(model, replace(TINY, landmarks_first=0.25))
    for step, waiting in ((249, [model.painter, model.describer]), (250, [model.detector])):
        model.zero_grad(set_to_none=True)
        report = objective(Batch(pictures()), Progress(step, 1000, 0.0))
        report.total.backward()
        assert ("reconstruction" in report.terms) == (step == 250)
        held = [weight for part in waiting if part is not None for weight in part.parameters()]
        assert all(weight.grad is None for weight in held), step
        assert any(weight.grad is not None for weight in model.parameters()), step


def test_a_decoder_without_norms_begins_neither_faint_nor_loud() -> None:
    torch.manual_seed(0)
    config = replace(FAMILY.presets["cartoon"].config, landmarks=4)
    model = Lmdis(config)
    seen: list[float] = []
    bottom = model.painter.bottom
    bottom.register_forward_hook(lambda _, __, maps: seen.append(float(maps.detach().std())))
    with torch.inference_mode():
        model.decode(model.encode(pictures(2, 64)).latents)
    assert 0.1 < seen[0] < 10.0


def test_pictures_are_mirrored_when_asked(model: Lmdis, monkeypatch) -> None:
    seen: list[torch.Tensor] = []
    padded = model.padded
    monkeypatch.setattr(model, "padded", lambda image: (seen.append(image), padded(image))[1])
    plain = replace(TINY, brightness=0.0, contrast=(1.0, 1.0), mirror=True)
    torch.manual_seed(0)
    one = pictures(1).expand(16, -1, -1, -1)
    LmdisObjective(model, plain)(Batch(one), START)
    turned = [torch.allclose(picture, one[0].flip(-1), atol=1e-5) for picture in seen[0]]
    kept = [torch.allclose(picture, one[0], atol=1e-5) for picture in seen[0]]
    assert all(a != b for a, b in zip(turned, kept, strict=True))
    assert 0 < sum(turned) < 16


def test_video_adds_the_flow_and_its_preference(model: Lmdis) -> None:
    config = replace(TINY, flow_stride=5)
    shift = pictures(2, 48)
    clip = torch.stack([shift[..., 8:40, 10 - s : 42 - s] for s in (0, 2, 4)], dim=1)
    report = LmdisObjective(model, config)(Batch(clip[:, 0], clip=clip), START)
    assert report.total.isfinite()
    assert float(report.terms["flow"].detach()) < 0.0
    report.total.backward()


def test_settling_makes_statistics_of_the_pictures_at_hand(model: Lmdis) -> None:
    batches = [pictures(4), pictures(4).flip(0)]
    before = model.detector.down[0].norm0.running_mean.clone()  # type: ignore[index, union-attr]
    model.eval().settle(batches)
    norm = model.detector.down[0].norm0  # type: ignore[index, union-attr]
    assert not model.training
    assert norm.momentum == 0.1
    assert int(norm.num_batches_tracked) == 2
    assert not torch.equal(norm.running_mean, before)


def test_a_decoder_with_kept_norms_draws_each_picture_alone() -> None:
    """With the batch's statistics, a picture changes with those beside it."""
    alone: list[bool] = []
    for norm in ("batch", "kept"):
        torch.manual_seed(0)
        model = Lmdis(replace(TINY, painter_norm=norm)).train()
        values = torch.rand(4, 4, 2) - 0.5, torch.randn(4, 4, 4), torch.randn(4, 4)

        def drawn(count: int, model: Lmdis = model, values: tuple = values) -> torch.Tensor:
            position, feature, background = (value[:count] for value in values)
            flat = Topology.flat(4)
            latents = Latents(position, flat, feature=feature, background=background)
            with torch.no_grad():
                return model.decode(latents).image[:2]

        together, first = drawn(4), drawn(2)
        alone.append(torch.allclose(together, first, atol=1e-5))
    assert alone == [False, True]


def test_settling_leaves_kept_norms_alone() -> None:
    model = Lmdis(replace(TINY, painter_norm="kept"))
    before = [value.clone() for value in model.painter.buffers()]
    encoder = [value.clone() for value in model.detector.buffers()]
    model.settle([pictures()])
    assert all(torch.equal(a, b) for a, b in zip(before, model.painter.buffers(), strict=True))
    pairs = zip(encoder, model.detector.buffers(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_without_descriptors_landmarks_alone_make_the_picture() -> None:
    torch.manual_seed(0)
    model = Lmdis(replace(TINY, descriptor=0)).eval()
    with torch.inference_mode():
        latents = model.encode(pictures(2)).latents
        assert latents.feature is None
        assert latents.background is None
        assert model.decode(latents).image.shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    "wrong", [{"image_size": 30}, {"padded_size": 20}, {"padded_size": 50}, {"landmarks": 1}]
)
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        LmdisConfig(**wrong)  # type: ignore[arg-type]


def test_training_ends_with_settled_statistics(tmp_path) -> None:
    from kpcore import checkpoint
    from kpcore.cli import main

    out = str(tmp_path / "run")
    words = ["train", "lmdis", "--preset", "tiny", "--data", "cartoon-faces", "--steps", "2"]
    assert main([*words, "--pool", "16", "--device", "cpu", "--threads", "1", "--out", out]) == 0
    model = checkpoint.load(tmp_path / "run" / "model.safetensors")
    counts = {
        int(norm.num_batches_tracked)
        for norm in model.modules()
        if isinstance(norm, nn.BatchNorm2d) and norm.num_batches_tracked is not None
    }
    assert counts == {200}
