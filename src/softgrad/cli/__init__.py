"""The command `softgrad`."""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["main"]

# What the extra `cli` installs, by the name it is imported under.
NEEDED = ("typer", "rich", "pyarrow", "sklearn", "safetensors", "matplotlib")


def main() -> None:
    """Run the command on the arguments of this process."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f'softgrad: not installed: {", ".join(missing)}; pip install "softgrad[cli]"', file=sys.stderr)
        sys.exit(2)
    from softgrad.cli.errors import reported

    # The commands report their own errors; this is for what fails before one of them runs.
    with reported(debug="--debug" in sys.argv):
        from softgrad.cli.app import app

        app(prog_name="softgrad")
