"""Hard against soft maximum: what the temperature does to softmax and to T logsumexp(z / T).

As T falls to 0, softmax(z / T) becomes the one-hot row of the maximum, and T logsumexp(z / T) its value: it is never
below, and at most T log K above. As T grows, softmax becomes uniform. Of two equal maxima hardmax takes the first;
softmax gives them the same, at every temperature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

import softgrad as sg
from softgrad.examples._experiment import Array, Table, main

LOGITS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
TIED = np.array([1.0, 3.0, 3.0])
TEMPERATURES = 10.0 ** np.linspace(-2.0, 2.0, 81)
SHOWN_TEMPERATURES = (0.01, 0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class SoftRow:
    """A row of logits, its hardmax, and at each temperature its softmax and T logsumexp(z / T) - max z."""

    logits: Array
    hard: Array
    soft: Array
    excess: Array

    def table(self) -> Table:
        shown = [int(np.argmin(np.abs(np.log(TEMPERATURES / t)))) for t in SHOWN_TEMPERATURES]
        return Table(
            f"softmax(z / T) of z = {self.logits.tolist()}; hardmax {self.hard.tolist()}",
            {
                "T": "g",
                **{f"a_{k}": ".4f" for k in range(len(self.logits))},
                "T logsumexp(z / T)": ".4f",
                "above max z": ".2e",
                "at most T log K": ".2e",
            },
            [
                (
                    float(TEMPERATURES[place]),
                    *map(float, self.soft[place]),
                    float(self.logits.max() + self.excess[place]),
                    float(self.excess[place]),
                    float(TEMPERATURES[place] * np.log(len(self.logits))),
                )
                for place in shown
            ],
        )


@dataclass(frozen=True)
class Hardmax:
    """A row with one maximum, and one with two."""

    distinct: SoftRow
    tied: SoftRow

    def tables(self) -> list[Table]:
        return [self.distinct.table(), self.tied.table()]

    def draw(self, figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        for axes, row, title in (
            (left, self.distinct, "Softmax becomes hardmax as T falls"),
            (middle, self.tied, "Equal logits share at every T"),
        ):
            for k, (logit, hard, curve) in enumerate(zip(row.logits, row.hard, row.soft.T, strict=True)):
                # A solid line would hide that of an equal logit.
                style = "--" if logit in row.logits[:k] else "-"
                (line,) = axes.semilogx(TEMPERATURES, curve, style, label=f"z = {logit:g}")
                axes.plot(TEMPERATURES[0], hard, "o", color=line.get_color(), clip_on=False, zorder=3)
            axes.set_ylabel("softmax(z / T); dots: hardmax(z)")
            axes.set_title(title)
            axes.legend()

        right.loglog(TEMPERATURES, TEMPERATURES * np.log(len(LOGITS)), "k--", label="T log K")
        right.loglog(TEMPERATURES, self.distinct.excess, label="T logsumexp(z / T) - max z")
        right.set_ylim(1e-6, 1e3)
        right.set_ylabel("soft maximum above max z")
        right.set_title("The soft maximum falls to the hard one")
        right.legend(loc="upper left")
        for axes in figure.axes:
            axes.set_xlabel("temperature T")
            axes.grid(alpha=0.3)


def soften(logits: Array) -> SoftRow:
    """The row at every temperature."""
    # Taken off before, the maximum's rounding does not hide how little the soft one is above it.
    below = logits - logits.max()
    return SoftRow(
        logits,
        sg.hardmax(logits),
        np.array([sg.softmax(logits, temperature=t) for t in TEMPERATURES]),
        np.array([t * sg.logsumexp(below / t) for t in TEMPERATURES]),
    )


def run() -> Hardmax:
    """Compute the numbers."""
    return Hardmax(soften(LOGITS), soften(TIED))


if __name__ == "__main__":
    main(__file__, __doc__, run)
