"""Checks of options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from softgrad.cli.errors import UserError


def check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed is {seed}; it must be from 0 to {2**32 - 1}")


def balanced(class_weight: str | None) -> Literal["balanced"] | None:
    """What --class-weight says, checked."""
    if class_weight in (None, "balanced"):
        return class_weight  # type: ignore[return-value]
    raise UserError(f"--class-weight is {class_weight}; it must be balanced")


def check_plot(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise UserError(f"--plot {path}: the picture is a PNG, its name must end in .png")
