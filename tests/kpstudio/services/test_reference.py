"""Pictures decoded with the appearance of another one: pose transfer, undone and saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.errors import CapabilityError, DataError
from kpcore.latents import Latents, Topology
from kpcore.registry import get
from kpstudio.services.reference import dressed, packed, unpacked
from kpstudio.services.reopen import open_session, save_session
from kpstudio.session.edits import MoveParticles, from_plain
from kpstudio.session.edits import to_plain as edit_to_plain
from kpstudio.session.reference_edits import SetReference

if TYPE_CHECKING:
    from tests.kpstudio.services.conftest import Bench


def untrained(name: str, path: Path) -> Path:
    torch.manual_seed(0)
    config = get(name).presets["tiny"].config
    model = get(name).build(config)
    if name == "lmdis":  # untrained descriptors hardly colour the picture
        for key, weight in model.named_parameters():
            if key.startswith("descriptors."):
                weight.data.mul_(20.0)
    checkpoint.save(path, model, checkpoint.Manifest(name, to_plain(config)))
    return path


def shown(bench: Bench, role: str = "edited") -> np.ndarray:
    bench.wait(lambda: bench.is_exact)
    return bench.session.picture(role).pixels  # type: ignore[union-attr,arg-type]


def lend(bench: Bench, path: Path) -> None:
    edits: list[SetReference] = []
    bench.engine.look_at(str(path), lambda pixels: edits.append(SetReference("b", packed(pixels))))
    bench.wait(lambda: edits)
    bench.session.commit(edits[0])


@pytest.mark.parametrize("family", ["keynet", "transporter", "keypoint-pyramids", "lmdis"])
def test_points_of_one_picture_on_the_appearance_of_another(
    bench: Bench, tmp_path: Path, make_picture: Callable[..., Path], family: str
) -> None:
    first, second = make_picture("first", seed=1), make_picture("second", seed=2)
    bench.open(untrained(family, tmp_path / "m.safetensors"), first)
    own = shown(bench).copy()
    lend(bench, second)
    lent = shown(bench).copy()
    assert not np.array_equal(lent, own)
    np.testing.assert_array_equal(shown(bench, "reconstruction"), own)
    model = checkpoint.load(tmp_path / "m.safetensors", "cpu")
    size = model.capabilities.image_size
    host = bench.engine._host
    with torch.inference_mode():
        a, b = host._image(host.framed(0)[0]), host._image(host.picture_at(str(second)))
        assert a.shape[-2:] == size
        if model.capabilities.needs_reference:
            encoding = model.encode(a, b)
            latents = encoding.latents
        else:
            encoding, theirs = model.encode(a), model.encode(b).latents
            latents = dressed(encoding.latents, encoding.latents, theirs)
        expected = model.decode(latents, encoding.context).image[0].permute(1, 2, 0)
    assert np.abs(lent - expected.mul(255).numpy()).max() <= 1.0
    bench.session.commit(MoveParticles(0, (0,), ((0.9, 0.9),)))
    assert not np.array_equal(shown(bench), lent), "and can be moved there"
    bench.session.undo()
    bench.session.undo()
    np.testing.assert_array_equal(shown(bench), own)


def test_the_choice_is_saved_with_the_picture_itself(
    make_bench: Callable[..., Bench], tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    bench = make_bench()
    bench.open(untrained("keynet", tmp_path / "m.safetensors"), make_picture("first", seed=1))
    second = make_picture("second", seed=2)
    lend(bench, second)
    lent = shown(bench).copy()
    save_session(bench.engine, bench.session, tmp_path / "s.kps")
    second.unlink()
    again, done = make_bench(), []
    open_session(again.engine, again.session, tmp_path / "s.kps", done=done.append)
    again.wait(lambda: done)
    np.testing.assert_array_equal(shown(again), lent)
    assert again.session.document.reference is not None
    assert again.session.document.reference.name == "b"


def test_what_the_user_chose_of_a_particle_stays() -> None:
    def latents(*values: float) -> Latents:
        feature = torch.tensor([values])[..., None]
        place = torch.zeros(1, len(values), 2)
        return Latents(place, Topology.flat(len(values)), feature=feature)

    edited = dressed(latents(1.0, 9.0), latents(1.0, 2.0), latents(5.0, 6.0))
    assert edited.rows("feature") == [[5.0], [9.0]]


def test_a_model_that_draws_from_particles_alone_refuses(bench: Bench, tiny, picture) -> None:
    bench.open(tiny, picture)
    with pytest.raises(CapabilityError, match="does not draw with the appearance"):
        bench.session.commit(SetReference("b", "x"))


def test_it_is_text_and_a_damaged_one_is_told() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    np.testing.assert_array_equal(unpacked(packed(pixels)), pixels)
    edit = SetReference("b", packed(pixels))
    assert from_plain(edit_to_plain(edit)) == edit
    with pytest.raises(DataError, match="damaged"):
        unpacked("nonsense")
