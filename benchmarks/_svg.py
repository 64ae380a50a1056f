"""Pictures as files that a page shows."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure


def save(figure: Figure, path: Path) -> None:
    """Write the same bytes from the same figure."""
    FigureCanvasSVG(figure)
    with matplotlib.rc_context({"svg.hashsalt": "softgrad", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
    print(f"wrote {path}")
