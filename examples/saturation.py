"""A saturated neuron: with the quadratic cost it learns most slowly where it is most wrong.

One sigmoid neuron, a = sigmoid(w x + b) with x = 1, is to output y = 0. The quadratic cost (a - y)^2 / 2 has the
gradient (a - y) a (1 - a) by z = w x + b: the sigmoid's slope a (1 - a) is nearly 0 where the neuron is most wrong. The
gradient of cross-entropy is a - y, large where the neuron is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

import softgrad as sg
from softgrad.examples._experiment import Array, Table, main

INPUT, TARGET = 1.0, 0.0
STARTS = ((0.6, 0.9), (2.0, 2.0))
RATE, EPOCHS = 0.15, 300


def quadratic(z: float) -> float:
    """The gradient of the quadratic cost by z."""
    return float(sg.sigmoid.vjp(z, sg.quadratic.grad([sg.sigmoid(z)], [TARGET])[0]))


def cross_entropy(z: float) -> float:
    """The gradient of the cross-entropy by z."""
    return float(sg.binary_cross_entropy.grad(z, TARGET))


GRADIENTS: dict[str, Callable[[float], float]] = {"quadratic cost": quadratic, "cross-entropy": cross_entropy}


def train(gradient: Callable[[float], float], weight: float, bias: float) -> Array:
    """The output before the first epoch and after each."""
    outputs = []
    for _ in range(EPOCHS + 1):
        z = weight * INPUT + bias
        outputs.append(float(sg.sigmoid(z)))
        by_z = gradient(z)
        weight -= RATE * by_z * INPUT
        bias -= RATE * by_z
    return np.array(outputs)


@dataclass(frozen=True)
class Saturation:
    """Outputs by epoch, shape (EPOCHS + 1,), by cost and start."""

    outputs: dict[str, list[Array]]

    def tables(self) -> list[Table]:
        return [
            Table(
                f"output of a sigmoid neuron that should be {TARGET:g}; {EPOCHS} epochs at rate {RATE}",
                {"cost": "", "w": "g", "b": "g", "first output": ".2f", "last output": ".3f"},
                [
                    (cost, *start, float(curve[0]), float(curve[-1]))
                    for cost, curves in self.outputs.items()
                    for start, curve in zip(STARTS, curves, strict=True)
                ],
            )
        ]

    def draw(self, figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        titles = ("Quadratic cost: the worse start waits", "Cross-entropy: it does not")
        for axes, (cost, curves), title in zip((left, middle), self.outputs.items(), titles, strict=True):
            for (weight, bias), curve in zip(STARTS, curves, strict=True):
                axes.plot(curve, label=f"w = {weight:g}, b = {bias:g}: {curve[0]:.2f} to {curve[-1]:.3f}")
            axes.set_xlabel("epoch")
            axes.set_ylabel(f"output a with the {cost}")
            axes.set_ylim(0.0, 1.2)
            axes.set_title(title)
            axes.legend(loc="upper right")

        logits = np.linspace(-6.0, 6.0, 121)
        for cost, gradient in GRADIENTS.items():
            right.plot(sg.sigmoid(logits), [gradient(z) for z in logits], label=cost)
        for number, (weight, bias) in enumerate(STARTS):
            right.axvline(float(sg.sigmoid(weight * INPUT + bias)), color=f"C{number}", linestyle=":")
        right.set_xlabel("output a (dotted: the two starts)")
        right.set_ylabel("gradient by z")
        right.set_title("The sigmoid's slope holds it back")
        right.legend(loc="upper left")
        for axes in figure.axes:
            axes.grid(alpha=0.3)


def run() -> Saturation:
    """Train the neuron from each start with each cost."""
    return Saturation({cost: [train(gradient, *start) for start in STARTS] for cost, gradient in GRADIENTS.items()})


if __name__ == "__main__":
    main(__file__, __doc__, run)
