"""Softmax with cross-entropy: the gradient is probability minus target, if the target sums to 1.

The loss is -sum_j y_j log a_j with a = softmax(z). Its gradient by z is a * sum(y) - y. That is a - y for every target
that sums to 1, one-hot or soft; for one that does not, a - y is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

import softgrad as sg
from softgrad.examples._experiment import Array, Table, main

LOGITS = np.array([2.0, 3.0, 4.0])
TARGETS = {
    "one-hot": np.array([0.0, 1.0, 0.0]),
    "soft, sums to 1": np.array([0.1, 0.7, 0.2]),
    "soft, sums to 2": np.array([0.4, 1.0, 0.6]),
}
STEP = 1e-5


@dataclass(frozen=True)
class CrossEntropy:
    """Probabilities; per target the loss, its gradient, and differences of a loss in plain NumPy."""

    probabilities: Array
    losses: dict[str, float]
    gradients: dict[str, Array]
    differences: dict[str, Array]

    def tables(self) -> list[Table]:
        columns = {
            "class": "d",
            "logit": "g",
            "probability a": ".4f",
            "target y": ".4f",
            "gradient": ".4f",
            "a - y": ".4f",
            "difference": ".4f",
        }
        return [
            Table(
                f"{name}: loss {self.losses[name]:.4f}",
                columns,
                [
                    (k, *map(float, cells))
                    for k, cells in enumerate(
                        zip(
                            LOGITS,
                            self.probabilities,
                            target,
                            self.gradients[name],
                            self.probabilities - target,
                            self.differences[name],
                            strict=True,
                        )
                    )
                ],
            )
            for name, target in TARGETS.items()
        ]

    def draw(self, figure: Figure) -> None:
        figure.suptitle("The gradient is a sum(y) - y; it is a - y only where the target sums to 1")
        places = np.arange(len(LOGITS))
        for axes, (name, target) in zip(figure.subplots(1, len(TARGETS), sharey=True), TARGETS.items(), strict=True):
            bars = axes.bar(places - 0.2, self.gradients[name], 0.4, label="gradient")
            axes.bar_label(bars, fmt="%.4f", padding=3, fontsize="small")
            axes.bar(places + 0.2, self.probabilities - target, 0.4, label="a - y")
            axes.plot(places - 0.2, self.differences[name], "k_", markersize=22, label="difference of the loss")
            axes.axhline(0.0, color="black", linewidth=0.8)
            axes.set_xticks(
                places, [f"a = {a:.4f}\ny = {y:g}" for a, y in zip(self.probabilities, target, strict=True)]
            )
            axes.set_title(f"{name}: loss {self.losses[name]:.4f}")
            axes.margins(y=0.12)
            axes.grid(axis="y", alpha=0.3)
        figure.axes[0].set_ylabel("derivative of the loss by the logit")
        figure.axes[0].legend(loc="upper left")


def plain_loss(logits: Array, target: Array) -> float:
    """-sum_j y_j log a_j, as the definition says it."""
    exponentials = np.exp(logits)
    return float(-np.sum(target * np.log(exponentials / exponentials.sum())))


def differences(target: Array) -> Array:
    """Central differences of the plain loss."""
    moves = STEP * np.eye(len(LOGITS))
    return np.array([plain_loss(LOGITS + m, target) - plain_loss(LOGITS - m, target) for m in moves]) / (2.0 * STEP)


def run() -> CrossEntropy:
    """Compute the numbers."""
    # The mean would divide by the sum of the target, its weight.
    results = {
        name: sg.cross_entropy.value_and_grad(LOGITS, target, reduction="sum") for name, target in TARGETS.items()
    }
    return CrossEntropy(
        sg.softmax(LOGITS),
        {name: float(loss) for name, (loss, _) in results.items()},
        {name: gradient for name, (_, gradient) in results.items()},
        {name: differences(target) for name, target in TARGETS.items()},
    )


if __name__ == "__main__":
    main(__file__, __doc__, run)
