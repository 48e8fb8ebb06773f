"""What every registered family promises, tested on its "tiny" preset; no family is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from kpcore import checkpoint, registry
from kpcore.api import Batch, Encoding, Family, KeypointModel, Progress, VideoPredictor
from kpcore.capabilities import constrain
from kpcore.checkpoint import Manifest
from kpcore.configuration import from_plain, to_plain
from kpcore.errors import InputError, ShapeError
from kpcore.latents import Latents

FAMILIES = registry.list_models()
MOMENTS = (Progress(0, 1000, 0.0), Progress(500, 1000, 0.3), Progress(1_000_000, 1_000_000, 1e4))
"""Points of a run that lie in different stages of every family's schedules."""


def spread(model: nn.Module, seed: int) -> None:
    """Give layers weights with which every part of a picture answers to every input.

    Fresh weights are often so small that pictures are constant, which would let wrong code pass.
    """
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                fan_in = layer.weight[0].numel()
                layer.weight.normal_(0.0, (2.0 / fan_in) ** 0.5, generator=chance)
                if layer.bias is not None:
                    layer.bias.normal_(0.0, 0.1, generator=chance)
                if isinstance(layer, nn.Conv2d) and layer.out_channels == 3:
                    # It makes colours: keep them between black and white.
                    layer.weight.mul_(0.2)
                    nn.init.constant_(cast("Tensor", layer.bias), 0.5)
            elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.normal_(0.0, 0.1, generator=chance)
                layer.running_var.uniform_(0.7, 1.4, generator=chance)
                if layer.affine:
                    layer.weight.uniform_(0.7, 1.4, generator=chance)
                    layer.bias.normal_(0.0, 0.1, generator=chance)


@pytest.fixture(params=FAMILIES)
def family(request):
    return registry.get(request.param)


def built(family: Family) -> KeypointModel:
    """The tiny model; one that contains another is built around the tiny compact DLP."""
    torch.manual_seed(0)
    inside: dict[str, KeypointModel] = {}
    if "renderer" in family.needs:
        renderer = registry.get("dlp-compact")
        inside["renderer"] = built(renderer)
        config = to_plain(renderer.presets["tiny"].config)
        inside["renderer"].manifest = Manifest(renderer.name, config)
    model = family.build(family.presets["tiny"].config, **inside)
    spread(model, seed=1)
    return model


@pytest.fixture
def model(family) -> Iterator[KeypointModel]:
    model = built(family)
    model.eval()
    with torch.inference_mode():
        yield model


def pictures(model: KeypointModel, count: int = 2, seed: int = 3) -> Tensor:
    """Smooth coloured pictures of the model's size."""
    height, width = model.capabilities.image_size
    chance = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=chance)
    return nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)


def learned_from(family: Family, config: Any, model: KeypointModel) -> Batch:
    """A batch as the family's window asks for it; the pictures of a clip move to the right."""
    window, image = family.window(config), pictures(model, count=4)
    if window.frames == 1:
        return Batch(image)
    clip = torch.stack([image.roll(2 * time, dims=-1) for time in range(window.frames)], dim=1)
    return Batch(image, clip=clip)


def encoded(model: KeypointModel, count: int = 2, seed: int = 3) -> Encoding:
    return model.encode(pictures(model, count, seed))


def apart(latents: Latents, seed: int = 5) -> Latents:
    """The same particles at places all over the picture."""
    chance = torch.Generator().manual_seed(seed)
    place = torch.rand(latents.position.shape, generator=chance) * 1.6 - 0.8
    return replace(latents, position=place)


def gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().abs().max())


# -- encoding -------------------------------------------------------------------------------------
def test_encoding_is_what_the_capabilities_say(model):
    able, latents = model.capabilities, encoded(model).latents
    assert latents.position.shape == (2, able.particles, 2)
    assert latents.position.dtype == torch.float32
    assert (latents.feature is None) == (able.features == 0)
    if latents.feature is not None:
        assert latents.feature.shape == (2, able.particles, able.features)
    assert (latents.position_log_var is not None) == able.uncertainty
    assert (latents.presence is not None) == (able.presence != "none")
    assert (latents.prototype is not None) == (able.prototypes > 0)
    if latents.presence is not None:
        assert 0.0 <= float(latents.presence.min()) <= float(latents.presence.max()) <= 1.0
    assert max(latents.topology.level) + 1 == able.levels
    assert constrain(latents, able) is latents, "what is encoded can be decoded as it is"


def test_encoding_is_deterministic(model):
    first, second = encoded(model), encoded(model)
    assert first.latents.equals(second.latents)
    assert first.context.keys() == second.context.keys()
    assert all(torch.equal(first.context[key], second.context[key]) for key in first.context)


def test_encoding_a_picture_does_not_depend_on_its_batch(model):
    image = pictures(model)
    both, one = model.encode(image).latents, model.encode(image[1:]).latents
    assert gap(both.position[1:], one.position) < 1e-4


def test_encoding_sees_the_picture(model):
    latents, lattice = encoded(model).latents, model.capabilities.lattice
    told = latents.position
    if lattice is not None and lattice[0] * lattice[1] == latents.count:
        assert latents.feature is not None, "a particle in every cell must say something else"
        told = latents.feature
    assert gap(told[0], told[1]) > 1e-3


@pytest.mark.parametrize("shape", [(2, 1), (2, 4), (1, 3, 1, 1), (1, 3, 7, 5)])
def test_pictures_of_another_shape_are_refused_in_one_sentence(model, shape):
    height, width = model.capabilities.image_size
    image = torch.rand(*shape, *((height, width) if len(shape) == 2 else ()))
    with pytest.raises(ShapeError) as caught:
        model.encode(image)
    assert str(tuple(image.shape)) in str(caught.value)
    assert "\n" not in str(caught.value)


# -- decoding -------------------------------------------------------------------------------------
def test_a_decoding_is_what_the_capabilities_say(model):
    able, encoding = model.capabilities, encoded(model)
    latents = apart(encoding.latents)
    decoding = model.decode(latents, encoding.context)
    assert decoding.image.shape == (2, 3, *able.image_size)
    assert decoding.image.dtype == torch.float32
    assert 0.0 <= float(decoding.image.min()) <= float(decoding.image.max()) <= 1.0
    assert float(decoding.image.std()) > 0.01
    assert (decoding.layers is not None) == able.layers
    if decoding.layers is not None:
        side = able.glimpse_px
        assert decoding.layers.patches.shape == (2, able.particles, 4, side, side)
        assert gap(decoding.layers.composite(latents), decoding.image) <= 1e-5
        elsewhere = apart(latents, seed=8)
        assert gap(decoding.layers.composite(elsewhere), decoding.image) > 1e-3
    assert (decoding.alphas is not None) == able.alphas
    if decoding.alphas is not None:
        assert decoding.alphas.shape == (2, able.particles, *able.image_size)
        assert float(decoding.alphas.min()) >= 0.0
        assert float(decoding.alphas.sum(1).max()) <= 1.0 + 1e-5
    assert (decoding.heatmaps is not None) == able.heatmaps
    if decoding.heatmaps is not None:
        assert decoding.heatmaps.shape[:2] == (2, able.particles)
        assert 0.0 <= float(decoding.heatmaps.min()) <= float(decoding.heatmaps.max()) <= 1.0


def test_heatmaps_peak_where_their_particles_are(model):
    if not model.capabilities.heatmaps:
        return
    encoding = encoded(model)
    latents = apart(encoding.latents)
    maps = model.decode(latents, encoding.context).heatmaps
    assert maps is not None
    height, width = maps.shape[-2:]
    peak = maps.flatten(2).argmax(-1)
    place = torch.stack([(peak % width + 0.5) / width, (peak // width + 0.5) / height], -1) * 2 - 1
    assert gap(place, latents.position) < 2.5 / min(height, width)


def test_decoding_is_pure(model):
    encoding = encoded(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    latents, other = encoding.latents, apart(encoding.latents)
    kept = latents.position.clone()
    first = model.decode(latents, encoding.context).image
    model.decode(other, encoding.context)
    assert torch.equal(model.decode(latents, encoding.context).image, first)
    assert torch.equal(latents.position, kept)
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_decoding_with_gradients_gives_the_same_picture(family):
    model = built(family).eval()
    encoding = encoded(model)
    latents = encoding.latents.detach()
    with torch.no_grad():
        still = model.decode(latents, encoding.context).image
    assert gap(model.decode(latents, encoding.context).image, still) < 1e-5


def test_changed_weights_change_the_picture(model):
    """No inference copy outlives the weights it was made of."""
    encoding = encoded(model)
    before = model.decode(encoding.latents, encoding.context).image
    spread(model, seed=2)
    assert gap(model.decode(encoding.latents, encoding.context).image, before) > 1e-3


def test_a_moved_particle_changes_pixels_near_it_more_than_far(model):
    encoding = encoded(model, count=1)
    latents = encoding.latents
    if latents.presence is not None:
        latents = replace(latents, presence=torch.ones_like(latents.presence))
    height, width = model.capabilities.image_size
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    near_change, far_change = [], []
    for row in range(latents.count):
        here = replace(latents, position=latents.position.clone())
        here.position[0, row] = torch.tensor([-0.4, -0.4])
        there = replace(here, position=here.position.clone())
        there.position[0, row] = torch.tensor([0.4, 0.4])
        a, b = (model.decode(value, encoding.context).image for value in (here, there))
        change = (a - b).abs().mean((0, 1))
        distance = torch.minimum((x + 0.4).hypot(y + 0.4), (x - 0.4).hypot(y - 0.4))
        near_change.append(change[distance < 0.25].mean())
        far_change.append(change[distance > 0.7].mean())
    near, far = torch.stack(near_change).mean(), torch.stack(far_change).mean()
    assert near > 1e-3
    assert near > 1.5 * far


def test_presence_takes_a_particle_out_of_the_picture(model):
    if model.capabilities.presence != "gate":
        return
    encoding = encoded(model)
    latents = apart(encoding.latents)
    full = replace(latents, presence=torch.ones(latents.position.shape[:2]))
    gone = full.with_rows("presence", [1], [0.0])
    shown = model.decode(full, encoding.context)
    hidden = model.decode(gone, encoding.context)
    assert gap(shown.image, hidden.image) > 1e-3


def test_any_subset_decodes_unless_the_count_is_fixed(model):
    encoding = encoded(model)
    some = encoding.latents.select([0, 2])
    if model.capabilities.fixed_count:
        with pytest.raises(ShapeError, match="particles"):
            model.decode(some, encoding.context)
    else:
        assert model.decode(some, encoding.context).image.isfinite().all()
        none = encoding.latents.select([])
        assert model.decode(none, encoding.context).image.isfinite().all()


def test_features_of_another_width_are_refused(model):
    encoding = encoded(model)
    if encoding.latents.feature is None:
        return
    narrow = encoding.latents.feature[..., :-1]
    wrong = replace(encoding.latents, feature=narrow, feature_log_var=None)
    with pytest.raises(ShapeError, match="feature"):
        model.decode(wrong, encoding.context)


# -- editing --------------------------------------------------------------------------------------
def edits(latents: Latents, count: int, seed: int = 7) -> Iterator[Latents]:
    """Random edits, one after the other: mostly moves, some of presence and features."""
    chance = torch.Generator().manual_seed(seed)
    for _ in range(count):
        row = int(torch.randint(latents.count, (1,), generator=chance))
        kind = float(torch.rand(1, generator=chance))
        if kind > 0.95 and latents.feature is not None:
            fresh = torch.randn(latents.feature.shape[-1], generator=chance).tolist()
            latents = latents.with_rows("feature", [row], [fresh])
        elif kind > 0.9 and latents.presence is not None:
            latents = latents.with_rows("presence", [row], [float(kind > 0.925)])
        else:
            place = (torch.rand(2, generator=chance) * 2.0 - 1.0).tolist()
            latents = latents.with_rows("position", [row], [place])
        yield latents


def test_decoding_edits_equals_decoding_their_result(model):
    encoding = encoded(model, count=1)
    decoder = model.decoder_for(encoding)
    for latents in (encoding.latents, *edits(encoding.latents, 25)):
        ours, want = decoder(latents), model.decode(latents, encoding.context)
        assert gap(ours.image, want.image) <= 1e-5
        assert (ours.layers is None) == (want.layers is None)
        if ours.layers is not None and want.layers is not None:
            assert gap(ours.layers.patches, want.layers.patches) <= 1e-5
            assert gap(ours.layers.background, want.layers.background) <= 1e-5


def test_the_picture_after_a_thousand_moves_is_that_of_the_final_latents_bit_for_bit(model):
    encoding = encoded(model, count=1)
    decoder = model.decoder_for(encoding)
    for latents in edits(encoding.latents, 1000):
        last = decoder(latents).image
    assert torch.equal(last, model.decoder_for(encoding)(latents).image)
    assert gap(last, model.decode(latents, encoding.context).image) <= 1e-5


def test_edits_of_a_batch_decode_too(model):
    encoding = encoded(model)
    decoder = model.decoder_for(encoding)
    for latents in edits(encoding.latents, 5):
        want = model.decode(latents, encoding.context).image
        assert gap(decoder(latents).image, want) <= 1e-5


# -- files and configurations ---------------------------------------------------------------------
def test_a_saved_model_gives_equal_pictures(model, family, tmp_path):
    config = family.presets["tiny"].config
    path = tmp_path / "model.safetensors"
    contains = checkpoint.contents(model, family.name)
    checkpoint.save(path, model, Manifest(family.name, to_plain(config), contains=contains))
    with torch.inference_mode(False):
        again = checkpoint.load(path)
    encoding, other = encoded(model), encoded(again)
    assert encoding.latents.equals(other.latents)
    ours = model.decode(encoding.latents, encoding.context).image
    assert torch.equal(ours, again.decode(other.latents, other.context).image)


def test_every_preset_is_a_configuration_that_survives_json(family):
    assert {"default", "tiny"} <= family.presets.keys()
    for name, preset in family.presets.items():
        assert isinstance(preset.config, family.config), name
        assert from_plain(family.config, to_plain(preset.config)) == preset.config
        assert (preset.recipe.steps is None) != (preset.recipe.epochs is None), name
        assert preset.summary


# -- prediction -----------------------------------------------------------------------------------
def test_a_predictor_rolls_out_one_frame_at_a_time(model):
    history = model.capabilities.video_history
    assert bool(history) == isinstance(model, VideoPredictor)
    if not isinstance(model, VideoPredictor):
        return
    assert model.history == history
    past = [encoded(model, seed=seed).latents for seed in range(3, 3 + history)]
    frames = list(model.predict(past, 4))
    assert len(frames) == 4
    assert all(frame.position.shape == past[-1].position.shape for frame in frames)
    assert gap(frames[0].position, frames[-1].position) > 1e-4, "something moves"
    again = model.predict(past, 1000)
    assert next(again).equals(frames[0])
    again.close()
    one = [each.image(1) for each in past]
    assert gap(next(model.predict(one, 1)).position, frames[0].position[1:]) < 1e-4
    with pytest.raises(InputError, match="0 past frames"):
        next(model.predict([], 1))


# -- learning -------------------------------------------------------------------------------------
def test_gradients_reach_every_weight(family):
    config = family.presets["tiny"].config
    model = built(family)
    model.train()
    batch = learned_from(family, config, model)
    reached: set[str] = set()
    for phase in family.phases(model, config):
        for moment in MOMENTS:
            model.zero_grad(set_to_none=True)
            report = phase.objective(batch, moment)
            assert report.total.isfinite()
            assert gap(report.total, torch.stack(list(report.terms.values())).sum()) < 1e-3
            report.total.backward()
            reached |= {
                name
                for name, weight in model.named_parameters()
                if weight.grad is not None and bool(weight.grad.abs().max() > 0)
            }
    wanted = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert not wanted - reached


def test_an_objective_has_no_memory(family):
    config = family.presets["tiny"].config
    model = built(family)
    model.train()
    batch = learned_from(family, config, model)
    for phase in family.phases(model, config):
        values = []
        for moment in (*MOMENTS, *reversed(MOMENTS)):
            torch.manual_seed(9)
            values.append(float(phase.objective(batch, moment).total.detach()))
        assert values == values[::-1]
