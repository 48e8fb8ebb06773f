from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore.errors import InputError, ShapeError
from kpcore.models.tusk import PRESETS, incremental
from kpcore.models.tusk.config import TuskConfig
from kpcore.models.tusk.model import Tusk
from kpcore.models.tusk.networks import read

TINY = PRESETS["tiny"].config


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def tusk(**changes) -> Tusk:
    torch.manual_seed(0)
    return Tusk(replace(TINY, **changes)).eval()


def test_the_papers_networks_have_the_published_number_of_weights():
    model = Tusk(TuskConfig())
    assert count(model.networks.encoder) == 1_960_323
    assert count(model.networks.decoder) == 1_958_115
    assert model.prototypes.weight.shape == (10, 32)


def test_every_preset_builds():
    for preset in PRESETS.values():
        with torch.device("meta"):
            assert Tusk(preset.config).capabilities.presence == "score"


@torch.no_grad()
def test_the_same_weights_find_more_keypoints_when_asked():
    few, many = tusk(keypoints=2), tusk(keypoints=6)
    many.load_state_dict(few.state_dict())
    image = torch.rand(1, 3, 32, 32)
    a, b = few.encode(image).latents, many.encode(image).latents
    assert b.count == 6
    assert torch.equal(a.position, b.position[:, :2])
    assert many.decode(b).image.shape == few.decode(b).image.shape


@torch.no_grad()
@pytest.mark.parametrize("blend", ["sum", "alpha"])
def test_any_number_of_keypoints_decodes_and_none_is_a_picture_too(blend):
    model = tusk(blend=blend)
    latents = model.encode(torch.rand(2, 3, 32, 32)).latents
    for rows in ([0, 2], [1], []):
        assert model.decode(latents.select(rows)).image.shape == (2, 3, 32, 32)


@torch.no_grad()
def test_alphas_share_every_pixel_among_the_keypoints_that_are_there():
    model = tusk()
    latents = model.encode(torch.rand(1, 3, 32, 32)).latents
    latents = replace(latents, presence=torch.tensor([[0.5, 0.0, 1.0, 0.3]]))
    alphas = model.decode(latents).alphas
    assert alphas is not None
    torch.testing.assert_close(alphas.sum(1), torch.ones(1, 32, 32))
    assert (alphas[:, 1] == 0.0).all()
    gone = model.decode(replace(latents, presence=torch.zeros(1, 4)))
    assert (gone.image == 0.0).all()


@torch.no_grad()
def test_descriptors_are_directions():
    model = tusk()
    latents = model.encode(torch.rand(1, 3, 32, 32)).latents
    assert latents.feature is not None
    torch.testing.assert_close(latents.feature.norm(dim=-1), torch.ones(1, 4))
    longer = replace(latents, feature=latents.feature * 7.0)
    torch.testing.assert_close(model.decode(longer).image, model.decode(latents).image)


@torch.no_grad()
def test_only_a_changed_keypoint_is_decoded_again(monkeypatch):
    model = tusk(blend="alpha")
    encoding = model.encode(torch.rand(1, 3, 32, 32))
    decoder = model.decoder_for(encoding)
    decoder(encoding.latents)
    passed: list[int] = []
    call = incremental.one_call

    def counted(network, function, rows):
        passed.append(rows.shape[1])
        return call(network, function, rows)

    monkeypatch.setattr(incremental, "one_call", counted)
    moved = encoding.latents.with_rows("position", [2], [[0.5, -0.5]])
    picture = decoder(moved).image
    assert passed == [1]
    decoder(encoding.latents)
    assert passed == [1], "what was decoded before is kept"
    torch.testing.assert_close(picture, model.decode(moved).image, atol=1e-5, rtol=0.0)


@torch.no_grad()
@pytest.mark.parametrize("blend", ["sum", "alpha"])
def test_the_decoder_of_edits_is_the_models_own_and_follows_its_weights(blend):
    model = tusk(blend=blend)
    encoding = model.encode(torch.rand(1, 3, 32, 32))
    moved = encoding.latents.with_rows("position", [1], [[0.2, 0.3]])
    before = model.decoder_for(encoding)(moved).image
    torch.testing.assert_close(before, model.decode(moved).image, atol=5e-5, rtol=0.0)
    few = moved.select([0, 3])
    torch.testing.assert_close(
        model.decoder_for(encoding)(few).image, model.decode(few).image, atol=5e-5, rtol=0.0
    )
    model.networks.decoder.body.head.weight.add_(0.5)
    after = model.decoder_for(encoding)(moved).image
    torch.testing.assert_close(after, model.decode(moved).image, atol=5e-5, rtol=0.0)
    assert (after - before).abs().max() > 1e-3


@torch.no_grad()
def test_settling_takes_the_features_as_they_are_at_the_end():
    model = tusk(centred=True)
    assert model.centre is not None
    model.networks.encoder.body.head.bias.add_(3.0)
    pictures = [torch.rand(8, 3, 32, 32) for _ in range(4)]
    before = model.encode(pictures[0]).latents.feature
    model.settle(pictures)
    after = model.encode(pictures[0]).latents.feature
    assert before is not None
    assert after is not None
    assert before.mean((0, 1)).norm() > 0.8, "all descriptors look one way"
    assert after.mean((0, 1)).norm() < 0.2
    assert not model.training


@torch.no_grad()
@pytest.mark.parametrize("salient", [True, False])
def test_features_get_a_spread_of_one_and_all_else_stays_the_same(salient):
    model = tusk(centred=True, salient=salient)
    norm, encoder = model.centre, model.networks.encoder
    assert norm is not None
    encoder.body.head.weight.mul_(0.1)
    encoder.body.head.bias.add_(0.7)
    image = torch.rand(8, 3, 32, 32)
    model.train()
    norm.momentum = None
    found = model.find(encoder(image))
    before = model.eval().encode(image).latents
    encoder.standardise(norm)
    after = model.encode(image).latents
    assert before.feature is not None
    torch.testing.assert_close(after.feature, before.feature, atol=1e-3, rtol=0.0)
    torch.testing.assert_close(after.position, before.position, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(after.presence, before.presence, atol=1e-4, rtol=0.0)
    there = read(encoder(image).feature, found.position).flatten(0, 1)
    assert 0.5 < there.std(0).min() <= there.std(0).max() < 1.5
    assert (there.mean(0).abs().max() < 0.1) == salient


@torch.no_grad()
def test_folding_keeps_sizes_and_places():
    model = tusk(fold=2, image_size=32, window=5)
    encoding = model.encode(torch.rand(2, 3, 32, 32))
    assert model.networks.encoder(torch.rand(1, 3, 32, 32)).score.shape == (1, 16, 16)
    assert model.decode(encoding.latents).image.shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_size": 36}, "multiples of 8"),
        ({"window": 6}, "odd"),
        ({"keypoints": 0}, "at least 1"),
        ({"splat_var_px": 0.0}, "above"),
        ({"keypoints": 2000}, "room for 1024"),
    ],
)
def test_configurations_that_make_no_model_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        replace(TINY, **changes)


def test_latents_without_features_are_refused():
    model = tusk()
    latents = model.encode(torch.rand(1, 3, 32, 32)).latents
    with pytest.raises(ShapeError, match="feature"):
        model.decode(replace(latents, feature=None))


@torch.no_grad()
def test_centred_descriptors_differ_from_the_first():
    image = torch.rand(16, 3, 32, 32)

    def alike(centred: bool) -> float:
        model = tusk(centred=centred).train()
        descriptor = model.find(model.networks.encoder(image)).descriptor.flatten(0, 1)
        return float((descriptor @ descriptor.mT).mean())

    assert alike(centred=False) > 0.3
    assert abs(alike(centred=True)) < 0.1


@torch.no_grad()
def test_salient_scores_begin_high_on_objects_of_any_colour():
    torch.manual_seed(0)
    model = Tusk(replace(TINY, salient=True, width=8, groups=8, descriptor=16)).eval()
    image = torch.zeros(1, 3, 32, 32)
    colours = torch.eye(3)
    places = [(6, 6), (20, 8), (12, 22)]
    for colour, (row, column) in zip(colours, places, strict=True):
        image[0, :, row : row + 6, column : column + 6] = colour[:, None, None]
    score = model.networks.encoder(image).score[0]
    inside = [score[row : row + 6, column : column + 6].mean() for row, column in places]
    ground = score[image[0].sum(0) == 0.0].mean()
    assert min(inside) > ground
    edges = torch.cat([score[0], score[-1], score[:, 0], score[:, -1]])
    assert edges.max() < max(inside)


def test_pictures_of_an_untrained_decoder_are_as_dark_as_asked():
    model = tusk(first_colour=0.1, blend="sum")
    latents = model.encode(torch.rand(2, 3, 32, 32)).latents.detach()
    seen = float(model.decode(latents).image.detach().mean())
    assert 0.05 < seen < 0.2
