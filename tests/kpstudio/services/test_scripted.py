from __future__ import annotations

import pytest
import torch

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.errors import InputError
from kpcore.latents import Latents, Topology
from kpstudio.services.scripted import duration_s, script
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.session import Session


def scene(presence: list[float]) -> Latents:
    positions = [[-0.5, -0.5], [0.4, 0.1], [0.0, 0.6], [0.5, -0.6]]
    return Latents(torch.tensor([positions]), Topology.flat(4), presence=torch.tensor([presence]))


def test_a_script_drags_present_particles_smoothly_and_ends_with_undo() -> None:
    latents = scene([1.0, 0.0, 0.9, 1.0])
    steps = script(latents, fps=60)
    assert [step.time_s for step in steps] == sorted(step.time_s for step in steps)
    session = Session()
    session.open_model(ModelInfo(1, "m", "m", "Fake", Capabilities((8, 8), 4, presence="gate")))
    session.open_media(MediaInfo(1, "v", "v", "image", 1))
    session.receive_encoding(1, 1, 0, Encoding(latents))
    moved: set[int] = set()
    before = latents.rows("position")
    for step in steps:
        step.play(session)
        now = session.latents.rows("position")  # type: ignore[union-attr]
        for row in range(4):
            dx = now[row][0] - before[row][0]  # type: ignore[index]
            dy = now[row][1] - before[row][1]  # type: ignore[index]
            if dx or dy:
                moved.add(row)
                if step.action == "preview":
                    assert (dx * dx + dy * dy) ** 0.5 < 0.03  # no jump
            assert max(map(abs, now[row])) <= 1.0  # type: ignore[index, arg-type]
        before = now
    assert moved == {0, 2, 3}
    assert len(session.history.entries) == 4
    assert session.history.cursor == 2  # the switch and the last drag were taken back
    assert 5.0 < duration_s(steps) < 15.0


def test_the_same_scene_gives_the_same_script() -> None:
    assert script(scene([1.0] * 4)) == script(scene([1.0] * 4))


def test_an_empty_scene_is_told() -> None:
    with pytest.raises(InputError, match="no particle"):
        script(scene([0.0, 0.1, 0.2, 0.0]))
