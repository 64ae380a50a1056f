"""The mean of squares after softmax: its gradient, and why differences over 1e-10 lose digits.

The loss is mean_j (a_j - y_j)^2 with a = softmax(z), so the gradient by z is a * (g - <a, g>) with g = 2 (a - y) / K.
It is compared with differences of a loss in plain NumPy. A difference over a step h is wrong by a power of h, because
the function is curved, and by about eps / h, because the two losses are rounded: too small a step is as bad as too
large a one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import softgrad as sg
from softgrad.examples._experiment import Array, Table, main

LOGITS = np.array([1.0, 2.0, 3.0, 0.0, 1.0])
TARGET = np.array([0.0, 0.0, 0.0, 1.0, 0.0])
SMALL_STEP = 1e-10
STEPS = 10.0 ** np.arange(-14.0, 0.0, 0.25)


def plain_loss(logits: NDArray[np.inexact[Any]]) -> Any:
    """The loss as a textbook has it; of complex logits too."""
    exponentials = np.exp(logits - logits.real.max())
    return np.mean((exponentials / exponentials.sum() - TARGET) ** 2)


def central(step: float) -> Array:
    """(f(z + h) - f(z - h)) / 2h, wrong by h^2 and eps / h."""
    moves = step * np.eye(len(LOGITS))
    return np.array([plain_loss(LOGITS + move) - plain_loss(LOGITS - move) for move in moves]) / (2.0 * step)


def extrapolated(step: float) -> Array:
    """Richardson: the h^2 of two central differences cancels, h^4 is left."""
    return (4.0 * central(step / 2.0) - central(step)) / 3.0


def complex_step(step: float) -> Array:
    """im f(z + ih) / h, wrong by h^2 alone: there is no difference that cancels."""
    moves = 1j * step * np.eye(len(LOGITS))
    return np.array([plain_loss(LOGITS + move).imag for move in moves]) / step


METHODS: dict[str, Callable[[float], Array]] = {
    "central difference": central,
    "Richardson extrapolation": extrapolated,
    "complex step": complex_step,
}


@dataclass(frozen=True)
class SoftmaxL2:
    """Probabilities, loss, gradient, the differences over `SMALL_STEP`, and the errors of each method over `STEPS`."""

    probabilities: Array
    loss: float
    gradient: Array
    differences: Array
    errors: dict[str, Array]

    def tables(self) -> list[Table]:
        classes = zip(LOGITS, self.probabilities, self.gradient, self.differences, strict=True)
        best = [(name, errors.argmin(), errors.min()) for name, errors in self.errors.items()]
        return [
            Table(
                f"mean of squares after softmax, label {TARGET.argmax()}: loss {self.loss:.8f}",
                {
                    "class": "d",
                    "logit": "g",
                    "probability": ".8f",
                    "gradient": ".8f",
                    f"difference, step {SMALL_STEP:g}": ".8f",
                    "off by": ".1e",
                },
                [(k, float(z), float(a), float(g), float(d), float(d - g)) for k, (z, a, g, d) in enumerate(classes)],
            ),
            Table(
                "worst error, relative to the largest component",
                {"method": "", "step": ".0e", "error": ".1e"},
                [
                    ("central difference", SMALL_STEP, relative_error(self.differences, self.gradient)),
                    *((f"{name}, best step", float(STEPS[place]), float(error)) for name, place, error in best),
                ],
            ),
        ]

    def draw(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[2, 3])
        classes = np.arange(len(LOGITS))
        bars = left.bar(classes, self.gradient, color=["tab:red" if y else "tab:blue" for y in TARGET])
        left.bar_label(bars, [f"{g:.4f}" for g in self.gradient], padding=3)
        left.axhline(0.0, color="black", linewidth=0.8)
        left.margins(y=0.12)
        left.set_xticks(classes, [f"z = {z:g}\ny = {y:g}" for z, y in zip(LOGITS, TARGET, strict=True)])
        left.set_ylabel("gradient of the loss by z")
        left.set_title("The likeliest wrong class is pushed down")

        # The curves of the first and the last method lie on each other where curvature decides.
        for (name, errors), width in zip(self.errors.items(), (5.0, 2.0, 1.5), strict=True):
            # An error of exactly 0 has no place on the axis.
            right.loglog(STEPS, np.where(errors > 0.0, errors, np.nan), linewidth=width, label=name)
        seeds = relative_error(self.differences, self.gradient)
        right.annotate(
            f"step {SMALL_STEP:g}:\noff by {seeds:.0e}",
            (SMALL_STEP, seeds),
            xytext=(30, 45),
            textcoords="offset points",
            arrowprops={"arrowstyle": "->"},
        )
        right.set_xlabel("step h")
        right.set_ylabel("worst error / largest component")
        right.set_title("A difference is best where rounding and curvature meet")
        right.legend(loc="upper center", ncols=3, fontsize="small")
        right.set_ylim(1e-17, 1e1)
        right.grid(alpha=0.3)


def relative_error(estimate: Array, gradient: Array) -> float:
    """The worst error in units of the largest component."""
    return float(np.max(np.abs(estimate - gradient)) / np.max(np.abs(gradient)))


def run() -> SoftmaxL2:
    """Compute the numbers."""
    probabilities = sg.softmax(LOGITS)
    # The quadratic cost is half the sum of the squares.
    to_mean = 2.0 / len(LOGITS)
    loss, by_probabilities = sg.quadratic.value_and_grad(probabilities, TARGET, upstream=to_mean)
    gradient = sg.softmax.vjp(LOGITS, by_probabilities)
    return SoftmaxL2(
        probabilities,
        float(to_mean * loss),
        gradient,
        central(SMALL_STEP),
        {name: np.array([relative_error(method(h), gradient) for h in STEPS]) for name, method in METHODS.items()},
    )


if __name__ == "__main__":
    main(__file__, __doc__, run)
