"""Vectors that a gradient of a function of probabilities is multiplied by, without the part that changes nothing."""

from __future__ import annotations

import numpy as np

from softgrad._contracts import Float64


def centred(vectors: Float64, logits: Float64) -> Float64:
    """v - v_k with k the most probable class.

    A gradient of a function of probabilities sums to 0 over its row: its product with v stays the same, and loses no
    digits where p_k is near 1.
    """
    at_largest: Float64 = np.take_along_axis(vectors, logits.argmax(axis=-1)[..., None], axis=-1)
    return vectors - at_largest
