"""The picture of a gradient check: the error of differences against their step."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import softgrad
from softgrad.cli.files import replacing

# Where an exact 0 is drawn, which a logarithmic axis has no place for.
FLOOR = 1e-17


def draw_step_errors(path: Path, title: str, errors: softgrad.gradcheck.StepErrors) -> None:
    """Write the V-shaped curves as PNG."""
    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    curves = {
        "central differences": errors.central,
        "extrapolated from a step and its half (Richardson)": errors.extrapolated,
        "complex step": errors.complex_step,
    }
    for (label, values), color in zip(curves.items(), ("tab:blue", "tab:orange", "tab:green"), strict=True):
        if values is not None:
            axes.loglog(errors.steps, values.clip(FLOOR), ".-", color=color, markersize=5, label=label)
    axes.axhline(max(errors.gradient, FLOOR), color="black", linestyle="--", label="the gradient under test")
    axes.axhspan(
        FLOOR, max(errors.reference_error, FLOOR), color="0.9", label="below the reference's own estimated error"
    )
    axes.set_ylim(FLOOR, 10.0)
    axes.set_xlabel("step")
    axes.set_ylabel("relative error against the whole ladder of differences")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center")
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
