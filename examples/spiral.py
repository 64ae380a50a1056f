"""CS231n's spiral: a linear classifier gets half of the points right, two layers nearly all.

Three classes, 100 points each, wound around each other in the plane. No straight lines part them; the 100 ReLU units of
a hidden layer bend the borders. Both are trained by gradient descent over all points, steps of length 1, with the same
regularisation. What the linear classifier reaches depends on the noise in the points (CS231n's own came to 0.49), so it
is trained on other draws of it too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from softgrad import nn
from softgrad.examples._experiment import Array, Labels, Table, main

CLASSES, POINTS, HIDDEN = 3, 100, 100
SEED, OTHER_SEEDS = 0, range(1, 21)
RATE, REGULARISATION = 1.0, 1e-3
COLORS = ("tab:blue", "tab:orange", "tab:green")
# From -1.1 to 1.1 in both directions.
SIDE = np.linspace(-1.1, 1.1, 200)


@dataclass(frozen=True)
class Trained:
    """The losses by epoch, the accuracy at the end, and the class at each point of the square over `SIDE`."""

    losses: Array
    accuracy: float
    regions: Labels


@dataclass(frozen=True)
class Spiral:
    """The points, their classes, what the two networks learned, and the linear one's accuracy on other draws."""

    points: Array
    labels: Labels
    networks: dict[str, Trained]
    other_draws: Array

    def tables(self) -> list[Table]:
        return [
            Table(
                f"spiral: {CLASSES} classes of {POINTS} points",
                {"network": "", "epochs": "d", "first loss": ".4f", "last loss": ".4f", "accuracy": ".4f"},
                [
                    (name, len(found.losses), float(found.losses[0]), float(found.losses[-1]), found.accuracy)
                    for name, found in self.networks.items()
                ],
            ),
            Table(
                f"accuracy of the linear network on {len(self.other_draws)} other draws of the points",
                {"lowest": ".4f", "mean": ".4f", "highest": ".4f"},
                [tuple(float(f(self.other_draws)) for f in (np.min, np.mean, np.max))],
            ),
        ]

    def draw(self, figure: Figure) -> None:
        figure.set_size_inches(14.0, 5.0)
        *pictures, curves = figure.subplots(1, 3)
        for axes, (name, found) in zip(pictures, self.networks.items(), strict=True):
            axes.pcolormesh(SIDE, SIDE, found.regions, cmap=ListedColormap(COLORS), alpha=0.3, shading="nearest")
            axes.scatter(*self.points.T, c=self.labels, cmap=ListedColormap(COLORS), s=14, edgecolors="black", lw=0.3)
            axes.set(aspect="equal", xticks=(-1.0, 0.0, 1.0), yticks=(-1.0, 0.0, 1.0))
            axes.set_xlabel("first coordinate")
            axes.set_ylabel("second coordinate")
            axes.set_title(f"{name}:\naccuracy {found.accuracy:.2f}")
            curves.semilogx(np.arange(1, len(found.losses) + 1), found.losses, label=name)
        curves.set_xlabel("epoch")
        curves.set_ylabel("mean cross-entropy")
        curves.set_title(
            "One loss ends at {:.2f}, the other at {:.2f}".format(
                *(found.losses[-1] for found in self.networks.values())
            )
        )
        curves.set_ylim(bottom=0.0)
        curves.set_box_aspect(1.0)
        curves.legend()
        curves.grid(alpha=0.3)


def spiral(rng: np.random.Generator) -> tuple[Array, Labels]:
    """The points (n, 2) and their classes (n,): one arm per class, from the centre out, with noise in the angle."""
    radii = np.linspace(0.0, 1.0, POINTS)
    points = []
    for arm in range(CLASSES):
        angles = np.linspace(4.0 * arm, 4.0 * (arm + 1), POINTS) + 0.2 * rng.standard_normal(POINTS)
        points.append(radii[:, np.newaxis] * np.column_stack([np.sin(angles), np.cos(angles)]))
    return np.concatenate(points), np.repeat(np.arange(CLASSES), POINTS)


def linear(points: Array, labels: Labels) -> Trained:
    """A linear softmax classifier."""
    return train([nn.Linear(2, CLASSES, seed=SEED)], 200, points, labels)


def two_layers(points: Array, labels: Labels) -> Trained:
    """A softmax classifier on top of a hidden layer."""
    layers = [nn.Linear(2, HIDDEN, seed=SEED), nn.ReLU(), nn.Linear(HIDDEN, CLASSES, seed=SEED + 1)]
    return train(layers, 2000, points, labels)


def train(layers: list[nn.Layer], epochs: int, points: Array, labels: Labels) -> Trained:
    """Train a network of these layers on all points at once."""
    network = nn.Network(layers, nn.SoftmaxLoss())
    history = network.fit(points, labels, optimizer=nn.SGD(lr=RATE, weight_decay=REGULARISATION), epochs=epochs)
    square = np.column_stack([axis.ravel() for axis in np.meshgrid(SIDE, SIDE)])
    return Trained(
        np.array(history.loss),
        float(np.mean(network.predict(points).argmax(axis=1) == labels)),
        network.predict(square).argmax(axis=1).reshape(len(SIDE), len(SIDE)),
    )


def run() -> Spiral:
    """Draw the points, train both networks."""
    points, labels = spiral(np.random.default_rng(SEED))
    return Spiral(
        points,
        labels,
        {"linear": linear(points, labels), f"two layers, {HIDDEN} ReLU": two_layers(points, labels)},
        np.array([linear(*spiral(np.random.default_rng(seed))).accuracy for seed in OTHER_SEEDS]),
    )


if __name__ == "__main__":
    main(__file__, __doc__, run)
