"""How many times softgrad's time the peers are to take at least, at every number of classes and every size."""

from __future__ import annotations

FORWARD = {"PyTorch": 1.0, "JAX": 1.0}
WITH_GRADIENT = {"PyTorch": 1.5, "JAX": 1.5}
# Of the output, which both are given.
PRODUCTS = {"PyTorch": 1.0}
