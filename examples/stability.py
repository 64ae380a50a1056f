"""Two layers against one: Softmax, then the log loss, lose what SoftmaxLoss keeps.

Two logits, the gap between them growing from 1 to 200. Where the label is at the larger one, the probability rounds to
1 and the loss of two layers to 0. Where it is at the smaller one, the probability vanishes in float32: the loss becomes
inf, the gradient NaN. The layers of the textbook, in plain NumPy, also lose the gradient of the confident row, which
`nn.Softmax` takes from the logits. `nn.SoftmaxLoss`, both layers in one, keeps every digit throughout. Exact values are
mpmath's; where the dtype has nothing but subnormal numbers, or 0, nothing better than the nearest is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import mpmath
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softgrad import nn
from softgrad.examples._experiment import Array, Table, main

GAPS = np.arange(1, 201)
DTYPES = ("float32", "float64")
TEXTBOOK, TWO_LAYERS, ONE_LAYER = "textbook: two layers", "nn: two layers", "nn: SoftmaxLoss"
CASES = {"label at the larger logit": 0, "label at the smaller logit": 1}
QUANTITIES = ("loss", "gradient")
# exp(-200) is 1e-87; the sums need as many digits and those that are compared.
EXACT_DIGITS = 120


@dataclass(frozen=True)
class Curve:
    """Correct decimal digits by gap, 0 at inf and NaN; and the gaps from which there is no digit, an inf, a NaN."""

    case: str
    quantity: str
    layers: str
    dtype: str
    digits: Array
    no_digit_from: int | None
    inf_from: int | None
    nan_from: int | None


@dataclass(frozen=True)
class Stability:
    """A curve for each of the cases, quantities, layers and dtypes."""

    curves: list[Curve]

    def tables(self) -> list[Table]:
        return [
            Table(
                f"{quantity}, {case}, gap 1 to {GAPS[-1]}",
                {
                    "layers": "",
                    "dtype": "",
                    "fewest digits": ".1f",
                    "no digit from": "",
                    "inf from": "",
                    "NaN from": "",
                },
                [
                    (
                        curve.layers,
                        curve.dtype,
                        float(curve.digits.min()),
                        *(
                            "-" if gap is None else str(gap)
                            for gap in (curve.no_digit_from, curve.inf_from, curve.nan_from)
                        ),
                    )
                    for curve in self.curves
                    if (curve.case, curve.quantity) == (case, quantity)
                ],
            )
            for case in CASES
            for quantity in QUANTITIES
        ]

    def draw(self, figure: Figure) -> None:
        figure.set_size_inches(13.0, 7.5)
        figure.suptitle("Softmax, then the log loss, lose their digits as the gap grows; SoftmaxLoss keeps them")
        columns = [(case, dtype) for dtype in DTYPES for case in CASES]
        grid = figure.subplots(len(QUANTITIES), len(columns), sharex=True, sharey="col")
        looks = {ONE_LAYER: ("C2", 6.0, 0), TWO_LAYERS: ("C1", 3.0, 1), TEXTBOOK: ("black", 1.2, 2)}
        for curve in self.curves:
            axes = grid[QUANTITIES.index(curve.quantity), columns.index((curve.case, curve.dtype))]
            color, width, order = looks[curve.layers]
            axes.plot(GAPS, curve.digits, color=color, linewidth=width, zorder=2 + order, label=curve.layers)
            axes.set_title(f"{curve.quantity}, {curve.dtype},\n{curve.case}")
            axes.set_ylim(-0.05 * most_digits(curve.dtype), 1.15 * most_digits(curve.dtype))
            axes.grid(alpha=0.3)
            if curve.layers == TWO_LAYERS:
                for name, gap, height in (("inf", curve.inf_from, 0.2), ("NaN", curve.nan_from, 0.1)):
                    if gap is not None:
                        axes.text(gap + 5, height * most_digits(curve.dtype), f"{name} from {gap}", color=color)
        for axes in grid[:, 0]:
            axes.set_ylabel("correct decimal digits")
        for axes in grid[-1]:
            axes.set_xlabel("gap between the logits")
        grid[0, 0].annotate(
            "the exact loss\nrounds to 0 too", (104, 7.0), xytext=(110, 3.0), arrowprops={"arrowstyle": "->"}
        )
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def textbook(logits: Array, label: int) -> tuple[Array, Array]:
    """Loss and gradient as the textbook has the two layers."""
    exponentials = np.exp(logits - logits.max())
    probabilities = exponentials / exponentials.sum()
    by_probabilities = np.zeros_like(logits)
    by_probabilities[0, label] = -1.0 / probabilities[0, label]
    inner = np.sum(probabilities * by_probabilities)
    return -np.log(probabilities[0, label]), probabilities * (by_probabilities - inner)


def two_layers(logits: Array, label: int) -> tuple[Array, Array]:
    """Loss and gradient of the layers, one after the other."""
    softmax, loss = nn.Softmax(), nn.MultinomialLogistic()
    return loss.forward(softmax.forward(logits), [label]), softmax.backward(loss.backward())


def one_layer(logits: Array, label: int) -> tuple[Array, Array]:
    """Loss and gradient of both layers in one."""
    loss = nn.SoftmaxLoss()
    return loss.forward(logits, [label]), loss.backward()


def exact(gap: int, label: int) -> tuple[list[mpmath.mpf], list[mpmath.mpf]]:
    """Loss and gradient for the logits (gap, 0)."""
    with mpmath.workdps(EXACT_DIGITS):
        smaller = 1 / (1 + mpmath.exp(gap))
        probabilities = (1 - smaller, smaller)
        return [-mpmath.log(probabilities[label])], [p - (j == label) for j, p in enumerate(probabilities)]


def most_digits(dtype: str) -> float:
    """The decimal digits that a correctly rounded number has."""
    return float(-np.log10(np.finfo(dtype).eps / 2))


def correct_digits(values: Array, exact_values: list[mpmath.mpf], dtype: str) -> float:
    """The correct digits of the worst component."""
    smallest = float(np.finfo(dtype).smallest_normal)
    digits = [most_digits(dtype)]
    for value, truth in zip(values.tolist(), exact_values, strict=True):
        if not np.isfinite(value):
            return 0.0
        with mpmath.workdps(EXACT_DIGITS):
            error = abs(value - truth) / max(abs(truth), smallest)
            if error:
                digits.append(float(-mpmath.log10(error)))
    return max(0.0, min(digits))


def first(found: NDArray[np.bool_]) -> int | None:
    """The first gap at which something is found."""
    return int(GAPS[found.argmax()]) if found.any() else None


def run() -> Stability:
    """Compute the numbers."""
    curves = []
    computations = {TEXTBOOK: textbook, TWO_LAYERS: two_layers, ONE_LAYER: one_layer}
    for (case, label), (layers, compute), dtype in product(CASES.items(), computations.items(), DTYPES):
        truths = [exact(int(gap), label) for gap in GAPS]
        # 1 / p overflows where p vanishes, and 0 times inf is NaN: that is what is looked for.
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            results = [compute(np.array([[gap, 0]], dtype), label) for gap in GAPS]
        for place, quantity in enumerate(QUANTITIES):
            values = np.array([np.ravel(result[place]) for result in results])
            digits = [correct_digits(*pair, dtype) for pair in zip(values, [t[place] for t in truths], strict=True)]
            found = np.equal(digits, 0.0), np.isinf(values).any(axis=1), np.isnan(values).any(axis=1)
            curves.append(Curve(case, quantity, layers, dtype, np.array(digits), *map(first, found)))
    return Stability(curves)


if __name__ == "__main__":
    main(__file__, __doc__, run)
