"""Products of float32 matrices in bfloat16, added up in float32, by PyTorch where it has them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from softgrad._contracts import Floating
from softgrad.losses._linear_cross_entropy._products import MatrixProduct


def in_bfloat16() -> MatrixProduct:
    """The product of PyTorch, whose operands oneDNN rounds to bfloat16 on their way.

    Raises
    ------
    ImportError
        PyTorch has not been imported.
    RuntimeError
        It makes these products in float32, since the processor has none of bfloat16.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        raise ImportError(
            "compute_dtype='bfloat16' uses the products of PyTorch where that is imported already: "
            "pip install torch, and import torch"
        )

    def product(a: Floating, b: Floating, out: Floating) -> None:
        settings = torch.backends.mkldnn.matmul
        before = settings.fp32_precision
        settings.fp32_precision = "bf16"
        try:
            torch.mm(_tensor(torch, a), _tensor(torch, b), out=torch.from_numpy(out))
        finally:
            settings.fp32_precision = before

    if not rounds_to_bfloat16(product):
        raise RuntimeError(
            "compute_dtype='bfloat16' would be no faster: PyTorch makes products of float32 in float32 here, for this "
            "processor has none of bfloat16; leave compute_dtype out"
        )
    return product


def rounds_to_bfloat16(product: MatrixProduct) -> bool:
    """Whether a product sees no more than the 8 bits of bfloat16 of what it multiplies."""
    size = 128
    nearly_one = np.full((size, size), 1.0 + 2.0**-12, np.float32)
    out = np.empty_like(nearly_one)
    product(nearly_one, nearly_one, out)
    return bool(np.all(out == size))


def _tensor(torch: Any, array: Floating) -> Any:
    # PyTorch warns of memory that it may not write to.
    return torch.from_numpy(array if array.flags.writeable else array.copy())
