"""A softmax classifier of digits by gradient descent, and how far from the optimum it ends.

Mean cross-entropy of X W + b plus reg / 2 ||W||^2, from small random weights: steps of length 1 along the gradient over
all rows. `softgrad.SoftmaxRegression` with C = 1 / (n reg) solves the same problem to its optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import softgrad as sg
from softgrad.examples._experiment import Array, Table, main

STEP, REGULARISATION, STEPS, SEED = 1.0, 1e-3, 200, 0
DARKEST, PIXELS = 16.0, (8, 8)


@dataclass(frozen=True)
class Classifier:
    """Weights (classes, pixels), and what they come to with their bias."""

    weight: Array
    objective: float
    training_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class LinearClassifier:
    """The objective before each step and after the last; the classifier that descent ends with, and the optimal one."""

    objectives: Array
    descended: Classifier
    optimal: Classifier

    def tables(self) -> list[Table]:
        return [
            Table(
                f"softmax classifier of digits: {STEPS} steps of gradient descent, and the optimum",
                {"": "", "objective": ".6f", "training accuracy": ".4f", "test accuracy": ".4f"},
                [
                    (name, found.objective, found.training_accuracy, found.test_accuracy)
                    for name, found in (("gradient descent", self.descended), ("SoftmaxRegression", self.optimal))
                ],
            )
        ]

    def draw(self, figure: Figure) -> None:
        left, right = figure.subfigures(1, 2)
        axes = left.subplots()
        axes.semilogy(self.objectives, label=f"gradient descent, ends at {self.objectives[-1]:.4f}")
        axes.axhline(
            self.optimal.objective, color="black", linestyle="--", label=f"optimum {self.optimal.objective:.4f}"
        )
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.set_xlabel("step")
        axes.set_ylabel("objective")
        axes.set_title(f"After {STEPS} steps the descent is still above the optimum")
        axes.legend()
        axes.grid(alpha=0.3, which="both")

        right.suptitle("What each class looks for: weights at the end of the descent")
        limit = np.abs(self.descended.weight).max()
        for digit, (place, weight) in enumerate(zip(right.subplots(2, 5).flat, self.descended.weight, strict=True)):
            image = place.imshow(weight.reshape(PIXELS), cmap="RdBu_r", vmin=-limit, vmax=limit)
            place.set_title(str(digit))
            place.set_axis_off()
        right.colorbar(image, ax=right.axes, orientation="horizontal", label="weight of the pixel", shrink=0.6)


def run() -> LinearClassifier:
    """Descend, and solve."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / DARKEST, y, test_size=0.2, random_state=SEED, stratify=y)
    classes, pixels = y.max() + 1, X.shape[1]

    def penalty(weight: Array) -> float:
        return 0.5 * REGULARISATION * float(np.sum(weight**2))

    def classifier(weight: Array, bias: Array) -> Classifier:
        return Classifier(
            weight,
            float(sg.linear_cross_entropy(X, weight, y, bias)) + penalty(weight),
            float(np.mean((X @ weight.T + bias).argmax(axis=1) == y)),
            float(np.mean((X_test @ weight.T + bias).argmax(axis=1) == y_test)),
        )

    weight = 0.01 * np.random.default_rng(SEED).standard_normal((classes, pixels))
    bias = np.zeros(classes)
    objectives = []
    for _ in range(STEPS):
        loss, gradients = sg.linear_cross_entropy.value_and_grad(X, weight, y, bias, wrt=("weight", "bias"))
        objectives.append(float(loss) + penalty(weight))
        weight -= STEP * (gradients.weight + REGULARISATION * weight)
        bias -= STEP * gradients.bias
    descended = classifier(weight, bias)

    model = sg.SoftmaxRegression(C=1.0 / (len(y) * REGULARISATION)).fit(X, y)
    return LinearClassifier(
        np.array([*objectives, descended.objective]), descended, classifier(model.coef_, model.intercept_)
    )


if __name__ == "__main__":
    main(__file__, __doc__, run)
