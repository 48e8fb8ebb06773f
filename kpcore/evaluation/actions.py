"""What someone is doing, told from keypoints alone by a recurrent network.

Source: Keypoint Pyramids sec. 4.3 and Table 2; other_systems.md sections 6 and 7 (the paper's
appendix with the network is out of reach).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.errors import DataError


@dataclass(frozen=True, slots=True)
class ActionFigures:
    """How often the action was told right.

    Attributes:
        accuracy: Share of the test clips told right, percent.
        train_accuracy: The same of the training clips.
        chance: Share that telling the most frequent training action would reach, percent.
        clips: Test clips.
        keypoints: K.
        confusion: How many test clips of each action (row) were told to be each action.
    """

    accuracy: float
    train_accuracy: float
    chance: float
    clips: int
    keypoints: int
    confusion: tuple[tuple[int, ...], ...]


class ActionNet(nn.Module):
    """A GRU over frames; its last state tells the action."""

    def __init__(self, inputs: int, actions: int, hidden: int = 128) -> None:
        super().__init__()
        self.frames = nn.GRU(inputs, hidden, batch_first=True)
        self.action = nn.Linear(hidden, actions)

    def forward(self, frames: Float[Tensor, "N T F"]) -> Float[Tensor, "N A"]:
        """Return the logits of each action."""
        return self.action(self.frames(frames)[1][-1])


def recognise(
    train: tuple[Float[Tensor, "n T K 2"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "m T K 2"], Int[Tensor, " m"]],
    actions: int,
    *,
    hidden: int = 128,
    steps: int = 600,
    batch: int = 64,
    rate: float = 1e-3,
    seed: int = 0,
) -> ActionFigures:
    """Learn to tell actions from clips of keypoints, measure on clips of other people.

    Inputs are the flattened positions of all keypoints, centred on the training clips' mean and
    divided by their standard deviation.

    Args:
        train: Keypoints of clips to learn from, and the action of each.
        test: Keypoints of clips to measure on, and the action of each.
        actions: Kinds of action there are.
        hidden: Width of the GRU.
        steps: Of Adam.
        batch: Clips per step.
        rate: Learning rate.
        seed: Of weights and batches.

    Raises:
        DataError: A set is empty, or an action is out of range.
    """
    for name, (clips, labels) in (("training", train), ("test", test)):
        if not len(clips) or len(clips) != len(labels):
            raise DataError(
                f"there are {len(clips)} {name} clips and {len(labels)} labels; give one label "
                f"for each of at least one clip"
            )
        if int(labels.min()) < 0 or int(labels.max()) >= actions:
            raise DataError(
                f"{name} actions run from {int(labels.min())} to {int(labels.max())}; accepted "
                f"is 0 to {actions - 1}"
            )
    flat = train[0].flatten(2).float()
    mean, deviation = flat.mean((0, 1)), flat.std((0, 1)).clamp(min=1e-6)

    def scaled(clips: Tensor) -> Tensor:
        return (clips.flatten(2).float() - mean) / deviation

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ActionNet(flat.shape[-1], actions, hidden)
        optimiser = torch.optim.Adam(net.parameters(), rate)
        known = scaled(train[0])
        for _ in range(steps):
            rows = torch.randint(len(known), (min(batch, len(known)),))
            loss = F.cross_entropy(net(known[rows]), train[1][rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def told(clips: Tensor) -> Int[Tensor, " N"]:
        with torch.no_grad():
            return torch.cat([net(part).argmax(-1) for part in scaled(clips).split(256)])

    def share(right: Tensor) -> float:
        return 100.0 * float(right.float().mean())

    most = int(train[1].bincount(minlength=actions).argmax())
    guess = told(test[0])
    pairs = (test[1] * actions + guess).bincount(minlength=actions**2).view(actions, actions)
    return ActionFigures(
        share(guess == test[1]),
        share(told(train[0]) == train[1]),
        share(test[1] == most),
        len(test[0]),
        train[0].shape[2],
        tuple(map(tuple, pairs.tolist())),
    )
