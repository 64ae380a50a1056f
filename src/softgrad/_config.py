"""What this installation of softgrad runs on."""

from __future__ import annotations

from typing import Any

import numpy as np

from softgrad import _native
from softgrad._version import __version__


def show_config() -> dict[str, Any]:
    """What this installation of softgrad runs on.

    Returns
    -------
    dict
        ``version``; ``instruction_set``, the one in use; ``available_instruction_sets``, those the machine has, the
        widest first (the environment variable ``SOFTGRAD_ISA`` chooses one before the import); ``threads``; ``numpy``,
        its version.

    Examples
    --------
    >>> import softgrad as sg
    >>> config = sg.show_config()
    >>> config["instruction_set"] in config["available_instruction_sets"]
    True
    """
    return {
        "version": __version__,
        "instruction_set": _native.instruction_set(),
        "available_instruction_sets": _native.available_instruction_sets(),
        "threads": _native.get_num_threads(),
        "numpy": np.__version__,
    }
