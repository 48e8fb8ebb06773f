"""A traced network gives the same numbers and leaves the interpreter's lock alone."""

from __future__ import annotations

import gc
import threading
import weakref

import torch
from torch import nn

from kpcore.tracing import as_one_call, one_call


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    return network.eval().requires_grad_(False)


def test_other_numbers_of_the_same_shape_give_what_the_function_gives():
    network = _network()

    def function(image, shift):
        return network(image + shift), image.amax(dim=(2, 3))

    with torch.inference_mode():
        call = as_one_call(function, torch.rand(1, 3, 9, 7), torch.rand(1))
        for seed in range(6):
            torch.manual_seed(seed)
            inputs = torch.rand(1, 3, 9, 7), torch.rand(1)
            for found, wanted in zip(call(*inputs), function(*inputs), strict=True):
                assert torch.equal(found, wanted)


@torch.no_grad()
def test_python_goes_on_while_the_call_runs():
    weight = torch.rand(600, 600) / 600

    def function(value):
        for _ in range(40):
            value = weight @ value
        return (value,)

    call = as_one_call(function, torch.rand(600, 300))
    running, counted = threading.Event(), [0]

    def count() -> None:
        while running.is_set():
            counted[0] += 1
            running.wait(0.0)

    running.set()
    counter = threading.Thread(target=count)
    counter.start()
    call(torch.rand(600, 300))
    running.clear()
    counter.join()
    assert counted[0] > 1


@torch.no_grad()
def test_a_call_is_kept_as_long_as_its_network_and_holds_nothing():
    class Owner:
        def __init__(self) -> None:
            self.network = _network()

        def draw(self, image):
            return (self.network(image),)

    owner, image = Owner(), torch.rand(1, 3, 9, 7)
    for _ in range(2):
        (found,) = one_call(owner.network, owner.draw, image)
        assert torch.equal(found, owner.network(image))
    (found,) = one_call(owner.network, owner.draw, image.repeat(2, 1, 1, 1))
    assert len(found) == 2
    network = weakref.ref(owner.network)
    del owner
    gc.collect()
    assert network() is None
