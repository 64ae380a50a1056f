"""Back-propagation with softmax and cross-entropy on top of a multi-layer network, on digits.

Only the top changes. It hands down (a - y) / n, the gradient of softmax and cross-entropy by the logits, where a
sigmoid output with the quadratic cost hands down (a - y) a (1 - a) / n; the layers below do what they always do. Both
tops are trained on the same two hidden layers, from the same weights, in the same order of the digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import softgrad as sg
from softgrad import nn
from softgrad.examples._experiment import Array, Labels, Table, main

WIDTHS, CLASSES = (64, 64, 32), 10
RATE, MOMENTUM, BATCH, EPOCHS, SEED = 0.1, 0.9, 32, 40, 0
DARKEST, PIXELS = 16.0, (8, 8)
SOFTMAX, SIGMOID = "softmax, cross-entropy", "sigmoid, quadratic cost"
# The check evaluates the loss some thirty thousand times.
CHECKED_ROWS = 8


@dataclass(frozen=True)
class BackPropagation:
    """Test accuracies by epoch and top, the test digits that softmax takes for others, and the check of its gradients.

    `mistaken` are images (m, 64), `taken_for` and `true` their classes (m,). `checks` has a report for each parameter.
    """

    accuracies: dict[str, Array]
    mistaken: Array
    taken_for: Labels
    true: Labels
    checks: dict[str, sg.GradientReport]

    def tables(self) -> list[Table]:
        return [
            Table(
                f"gradients of the network with {SOFTMAX}, against differences of its loss",
                {"parameter": "", "worst relative error": ".1e", "verdict": ""},
                [(name, float(report.worst_error), report.verdict) for name, report in self.checks.items()],
            ),
            Table(
                "test accuracy on digits",
                {"top": "", "after 1 epoch": ".4f", f"after {EPOCHS} epochs": ".4f"},
                [(top, float(curve[0]), float(curve[-1])) for top, curve in self.accuracies.items()],
            ),
        ]

    def draw(self, figure: Figure) -> None:
        left, right = figure.subfigures(1, 2)
        axes = left.subplots()
        for top, curve in self.accuracies.items():
            axes.plot(np.arange(1, len(curve) + 1), curve, label=f"{top}: {curve[-1]:.4f}")
        axes.set_xlabel("epoch")
        axes.set_ylabel("test accuracy")
        axes.set_ylim(0.0, 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title("Softmax and cross-entropy on top learn sooner")
        axes.legend(loc="lower right")
        axes.grid(alpha=0.3)

        right.suptitle(f"The {len(self.true)} test digits that are still taken for others")
        side = max(1, int(np.ceil(np.sqrt(len(self.true)))))
        for number, place in enumerate(right.subplots(side, side, squeeze=False).flat):
            if number < len(self.true):
                place.imshow(self.mistaken[number].reshape(PIXELS), cmap="gray_r")
                place.set(xticks=(), yticks=())
                place.set_title(f"{self.true[number]} taken for {self.taken_for[number]}", fontsize="medium")
            else:
                place.set_axis_off()


def layers() -> list[nn.Layer]:
    """The layers that both networks have."""
    hidden: list[nn.Layer] = []
    for seed, (below, above) in enumerate(pairwise(WIDTHS)):
        hidden += [nn.Linear(below, above, seed=seed), nn.Sigmoid()]
    return [*hidden, nn.Linear(WIDTHS[-1], CLASSES, seed=len(WIDTHS))]


def check(network: nn.Network, name: str, X: Array, y: Labels) -> sg.GradientReport:
    """Compare the gradient by a parameter with differences of the loss."""
    parameter = network.parameters[name]

    def loss(value: Array) -> float:
        parameter[...] = value
        return network.loss(X, y)

    def gradient(value: Array) -> Array:
        loss(value)
        network.backward()
        return network.gradients[name].copy()

    start = parameter.copy()
    report = sg.check_gradient(loss, start, grad=gradient)
    parameter[...] = start
    return report


def run() -> BackPropagation:
    """Check the gradients, then train both networks."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / DARKEST, y, test_size=0.2, random_state=SEED, stratify=y)
    networks = {
        SOFTMAX: (nn.Network(layers(), nn.SoftmaxLoss()), y),
        SIGMOID: (nn.Network([*layers(), nn.Sigmoid()], nn.Quadratic()), np.eye(CLASSES)[y]),
    }
    checked = networks[SOFTMAX][0]
    checks = {name: check(checked, name, X[:CHECKED_ROWS], y[:CHECKED_ROWS]) for name in checked.parameters}
    predicted: dict[str, list[Labels]] = {}
    for top, (network, targets) in networks.items():
        optimizer = nn.SGD(lr=RATE, momentum=MOMENTUM)
        predicted[top] = []
        for epoch in range(EPOCHS):
            network.fit(X, targets, optimizer=optimizer, epochs=1, batch_size=BATCH, seed=epoch)
            predicted[top].append(network.predict(X_test).argmax(axis=1))
    last = predicted[SOFTMAX][-1]
    wrong = last != y_test
    return BackPropagation(
        {top: np.array([np.mean(classes == y_test) for classes in epochs]) for top, epochs in predicted.items()},
        X_test[wrong],
        last[wrong],
        y_test[wrong],
        checks,
    )


if __name__ == "__main__":
    main(__file__, __doc__, run)
