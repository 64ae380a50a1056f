"""The loss curve and the reliability diagram as SVG; colours are classes of the style sheet, for light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from softgrad.cli.html_report.markup import Html, element
from softgrad.cli.html_report.measures import Bin

# As wide as a telephone, so that text keeps its size there.
WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 348, 10, 210
# From this ratio of the largest to the smallest value on, an axis is logarithmic.
DECADE = 10.0


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` laid out from the pixel `start` to the pixel `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return round(self.start + (self.end - self.start) * (value - low) / (high - low), 2)

    def ticks(self) -> list[float]:
        """Round values, a handful."""
        if self.logarithmic:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            factors = (1.0, 2.0, 5.0) if len(exponents) <= 4 else (1.0,)
            apart = max(1, len(exponents) // 6)
            every = [factor * 10.0**exponent for exponent in exponents[::apart] for factor in factors]
        else:
            rough = (self.high - self.low) / 5
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough)
            first = math.ceil(self.low / step)
            every = [step * index for index in range(first, math.floor(self.high / step) + 1)]
        return [tick for tick in every if self.low <= tick <= self.high]


def loss_curve(losses: Sequence[float]) -> Html:
    """The objective after each iteration, the start first; with more than a decade to fall, on a logarithmic axis."""
    logarithmic = min(losses) > 0.0 and max(losses) > DECADE * min(losses)
    across = Axis(0, max(1, len(losses) - 1), LEFT, RIGHT)
    up = _loss_axis(min(losses), max(losses), logarithmic)
    points = [(across(iteration), up(loss)) for iteration, loss in enumerate(losses)]
    line = element("polyline", points=" ".join(f"{x},{y}" for x, y in points), class_="line")
    marks = [
        element("circle", element("title", f"iteration {number}: {loss:.6g}"), cx=x, cy=y, r=3, class_="point")
        for number, ((x, y), loss) in enumerate(zip(points, losses, strict=True))
    ]
    whole = [tick for tick in across.ticks() if tick == int(tick)]
    frame = _frame(across, up, whole, up.ticks(), "iteration", "objective")
    about = f"Line chart: the objective falls from {losses[0]:.4g} to {losses[-1]:.4g} in {len(losses) - 1} iterations."
    return _drawing(about, *frame, line, *(marks if len(marks) <= 100 else ()))


def _loss_axis(low: float, high: float, logarithmic: bool) -> Axis:
    if logarithmic:
        return Axis(low / 1.1, high * 1.1, BOTTOM, TOP, logarithmic=True)
    margin = 0.05 * (high - low) or max(0.05 * abs(high), 0.05)
    return Axis(low - margin, high + margin, BOTTOM, TOP)


def reliability_diagram(bins: Sequence[Bin]) -> Html:
    """Accuracy against confidence, each bin with its 95% interval, over a strip of how many rows it holds."""
    across, up = Axis(0.0, 1.0, LEFT, RIGHT), Axis(0.0, 1.0, BOTTOM - 44, TOP)
    most = max(entry.rows for entry in bins)
    drawn = []
    for entry in bins:
        low, high = entry.interval
        x, rows = across(entry.confidence), f"{entry.rows} row{'s' if entry.rows > 1 else ''}"
        about = f"{rows}, confidence {entry.confidence:.3f}, accuracy {entry.accuracy:.3f} ({low:.3f} to {high:.3f})"
        tall = round(30.0 * entry.rows / most, 2)
        left, wide = across(entry.low) + 1, across(entry.high) - across(entry.low) - 2
        drawn += [
            element("rect", x=left, y=BOTTOM - tall, width=wide, height=tall, class_="bar"),
            element("line", x1=x, y1=up(low), x2=x, y2=up(high), class_="interval"),
            element("line", x1=x, y1=up(entry.confidence), x2=x, y2=up(entry.accuracy), class_="gap"),
            element("circle", element("title", about), cx=x, cy=up(entry.accuracy), r=4, class_="point"),
        ]
    fifths = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    frame = _frame(across, up, fifths, fifths, "confidence (probability of the predicted class)", "accuracy")
    diagonal = element("line", x1=across(0), y1=up(0), x2=across(1), y2=up(1), class_="ideal")
    rows = element("text", "rows", x=LEFT - 6, y=BOTTOM - 2, class_="tick", text_anchor="end")
    about = "Scatter chart: accuracy against confidence in bins; a calibrated model lies on the diagonal. Table below."
    return _drawing(about, *frame, diagonal, rows, *drawn)


def _frame(
    across: Axis, up: Axis, columns: Sequence[float], lines: Sequence[float], x_name: str, y_name: str
) -> list[Html]:
    middle = (up.start + up.end) / 2
    return [
        *(element("line", x1=LEFT, y1=up(tick), x2=RIGHT, y2=up(tick), class_="grid") for tick in lines),
        *(
            element("text", f"{tick:.4g}", x=LEFT - 6, y=up(tick) + 4, class_="tick", text_anchor="end")
            for tick in lines
        ),
        *(
            element("text", f"{tick:.4g}", x=across(tick), y=BOTTOM + 16, class_="tick", text_anchor="middle")
            for tick in columns
        ),
        element("line", x1=LEFT, y1=BOTTOM, x2=RIGHT, y2=BOTTOM, class_="axis"),
        element("text", x_name, x=(LEFT + RIGHT) / 2, y=HEIGHT - 6, class_="name", text_anchor="middle"),
        element(
            "text", y_name, x=12, y=middle, class_="name", text_anchor="middle", transform=f"rotate(-90 12 {middle})"
        ),
    ]


def _drawing(about: str, *content: Html) -> Html:
    return element("svg", *content, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=about, class_="chart")
