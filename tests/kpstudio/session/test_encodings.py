from __future__ import annotations

import torch

from kpcore.api import Encoding
from kpcore.latents import Latents, Topology
from kpstudio.session.document import Document
from kpstudio.session.edits import MoveParticles
from kpstudio.session.encodings import Encodings


def encoding(seed: int, context_floats: int = 0) -> Encoding:
    make = torch.Generator().manual_seed(seed)
    latents = Latents(torch.rand(1, 3, 2, generator=make), Topology.flat(3))
    context = {"maps": torch.zeros(1, context_floats)} if context_floats else {}
    return Encoding(latents, context)


def test_contexts_keep_to_their_budget_and_particles_stay():
    held = Encodings(context_bytes=4_000)
    for frame in range(20):
        held.put(frame, encoding(frame, 250))
    assert held.context_bytes <= 4_000
    assert len(held) == 20
    assert [held.get(frame) is not None for frame in (0, 15, 16, 19)] == [False, False, True, True]
    assert all(held.latents(frame).equals(encoding(frame).latents) for frame in range(20))


def test_what_was_looked_at_lately_stays_whole():
    held = Encodings(context_bytes=3_000)
    for frame in range(3):
        held.put(frame, encoding(frame, 250))
    held.get(0)
    held.put(3, encoding(3, 250))
    assert held.get(0) is not None
    assert held.get(1) is None


def test_encoded_again_the_particles_are_the_first_ones():
    held = Encodings(context_bytes=1_500)
    held.put(0, encoding(0, 250))
    held.put(1, encoding(1, 250))
    first = held.latents(0)
    assert held.get(0) is None
    held.put(0, encoding(9, 250))
    assert held.latents(0) is first
    assert held[0].latents is first
    assert held[0].context["maps"].numel() == 250


def test_without_context_nothing_is_ever_dropped():
    held = Encodings(context_bytes=1)
    for frame in range(5):
        held.put(frame, encoding(frame))
    assert all(held.get(frame) is not None for frame in range(5))


def test_an_edit_refers_to_the_encodings_and_copies_none():
    document = Document()
    for frame in range(50):
        document.encoded.put(frame, encoding(frame))
    after = MoveParticles(3, (0,), ((0.1, 0.1),)).apply(document)
    assert after.encoded is document.encoded
    assert set(after.edited) == {3}
