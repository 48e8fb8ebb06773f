"""What is so of a picture, told from what a model knows of it by a linear support vector machine.

Source: LMDIS sec. 4.3 and table 3: one linear SVM per attribute, fitted on CelebA's training
pictures, measured on MAFL's test pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.optimize import minimize

from kpcore.errors import DataError

SHAPE_RELATED: tuple[str, ...] = (
    "Arched_Eyebrows", "Bags_Under_Eyes", "Big_Lips", "Big_Nose", "Double_Chin",
    "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Narrow_Eyes", "Oval_Face", "Pointy_Nose",
    "Receding_Hairline", "Smiling",
)  # fmt: skip
"""The 13 of CelebA's 40 attributes that LMDIS judges landmarks by, as CelebA spells them."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearSvm:
    """A fitted machine: what lies on the positive side is said to be so.

    Attributes:
        weights: Factor of each input.
        bias: Added to the sum.
    """

    weights: Float[ndarray, " F"]
    bias: float

    def __call__(self, inputs: Float[ndarray, "n F"]) -> Float[ndarray, " n"]:
        """Return how far on the positive side each picture lies; 1 is beyond the margin."""
        return inputs @ self.weights + self.bias


def fit(inputs: Float[ndarray, "n F"], so: Bool[ndarray, " n"], cost: float = 1.0) -> LinearSvm:
    """Return the machine with the least |w|^2 / 2 + cost * sum of squared hinge losses.

    The objective of LIBLINEAR's default machine; the bias is not pulled to zero here.

    Args:
        inputs: Of each picture, of comparable size.
        so: Whether the attribute holds.
        cost: Of a picture on the wrong side of the margin.

    Raises:
        DataError: There are no pictures, or one answer holds for all.
    """
    if len(inputs) != len(so) or not so.any() or so.all():
        raise DataError(
            f"there are {len(inputs)} pictures and {int(so.sum())} of {len(so)} answers are yes; a "
            f"machine needs one answer for each picture, and both answers"
        )
    sign = np.where(so, 1.0, -1.0)
    known = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)

    def loss(w: ndarray) -> tuple[float, ndarray]:
        short = np.maximum(0.0, 1.0 - sign * (known @ w))
        pull = np.append(w[:-1], 0.0)
        value = 0.5 * float(pull @ pull) + cost * float(short @ short)
        return value, pull - 2.0 * cost * (known.T @ (sign * short))

    options = {"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-8}
    found = minimize(loss, np.zeros(known.shape[1]), jac=True, method="L-BFGS-B", options=options)
    return LinearSvm(found.x[:-1], float(found.x[-1]))


@dataclass(frozen=True, slots=True)
class AttributeFigures:
    """How often one attribute is told right, in percent.

    Attributes:
        accuracy: Of the test pictures.
        balanced: Mean of the share of the pictures of which it holds and of the others; 50 by
            guessing. NaN where the test pictures are all alike.
        guessing: What the training pictures' more frequent answer reaches.
        fitted: Training pictures.
        tested: Test pictures.
    """

    accuracy: float
    balanced: float
    guessing: float
    fitted: int
    tested: int


def recognise(
    train: tuple[Float[ndarray, "n F"], Bool[ndarray, " n"]],
    test: tuple[Float[ndarray, "m F"], Bool[ndarray, " m"]],
    cost: float = 1.0,
) -> AttributeFigures:
    """Fit to one set of pictures, measure on another.

    Inputs are centred on the training pictures' mean and divided by their standard deviation; one
    that never varies says nothing.

    Args:
        train: Inputs of each picture, and whether the attribute holds.
        test: The same of the pictures to measure on.
        cost: See `fit`.

    Raises:
        DataError: A set is empty, or one answer holds for all training pictures.
    """
    if not len(test[1]):
        raise DataError("there are no pictures to measure on; ask for at least one")
    mean, deviation = train[0].mean(0), train[0].std(0)
    steady = deviation < 1e-8

    def scaled(inputs: ndarray) -> ndarray:
        return np.where(steady, 0.0, (inputs - mean) / np.where(steady, 1.0, deviation))

    machine = fit(scaled(train[0]), train[1], cost)
    so, right = test[1], (machine(scaled(test[0])) > 0.0) == test[1]
    usual = bool(train[1].mean() > 0.5)
    both = so.any() and not so.all()
    return AttributeFigures(
        100.0 * float(right.mean()),
        50.0 * float(right[so].mean() + right[~so].mean()) if both else float("nan"),
        100.0 * float((so == usual).mean()),
        len(train[1]),
        len(so),
    )
