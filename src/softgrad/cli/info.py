"""`softgrad info`: what is installed and which code runs on this machine."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import softgrad

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "safetensors",
    "matplotlib",
    "typer",
    "rich",
    "ml_dtypes",
    "torch",
    "jax",
)


def lines() -> Iterator[str]:
    """The lines to print."""
    config = softgrad.show_config()
    yield f"softgrad {config['version']}"
    available = ", ".join(config["available_instruction_sets"])
    yield f"instruction set {config['instruction_set']} (available: {available})"
    yield f"threads {config['threads']}"
    yield f"python {platform.python_version()} ({platform.system()} {platform.machine()})"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} not installed"
