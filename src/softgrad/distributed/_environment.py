"""What the bits of a sum depend on besides the rows: the same everywhere, or the workers are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadpoolctl import ThreadpoolController

from softgrad import show_config


class Environment(NamedTuple):
    """What it is in a process."""

    softgrad: str
    numpy: str
    instruction_set: str
    blas: str

    @classmethod
    def here(cls) -> Environment:
        config = show_config()
        blas = {
            " ".join(str(library.get(key, "")) for key in ("internal_api", "version", "architecture"))
            for library in ThreadpoolController().info()
            # SciPy's own may be loaded, and is not what multiplies.
            if library["user_api"] == "blas" and "scipy.libs" not in library["filepath"]
        }
        return cls(config["version"], config["numpy"], config["instruction_set"], ", ".join(sorted(blas)))


class DifferentWorkersError(RuntimeError):
    """Two workers would make other bits of the same rows."""


def check_same(environments: Sequence[Environment]) -> None:
    """Raise DifferentWorkersError where those of two workers differ; they come in the order of the workers."""
    first, *others = environments
    for number, other in enumerate(others, 1):
        for what, mine, its in zip(Environment._fields, first, other, strict=True):
            if mine != its:
                raise DifferentWorkersError(
                    f"worker 0 has the {what} {mine}, worker {number} {its}: sums would depend on which of them "
                    f"makes them; install the same versions, or set SOFTGRAD_ISA and OPENBLAS_CORETYPE to what "
                    f"all machines have"
                )
