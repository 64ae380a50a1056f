"""Checks of options that several commands have."""

from __future__ import annotations

from pathlib import Path

from softgrad.cli.errors import UserError


def check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed is {seed}; it must be from 0 to {2**32 - 1}")


def check_plot(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise UserError(f"--plot {path}: the picture is a PNG, its name must end in .png")
