"""saturation: the published outputs, and every epoch against the formulas in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.examples.results import result_of
from tests.oracles.bounds import printed

EPS = np.finfo(np.float64).eps
STARTS = ((0.6, 0.9), (2.0, 2.0))


def test_the_published_outputs_to_their_decimals() -> None:
    outputs = result_of("saturation").outputs
    for curves in outputs.values():
        assert [curve[0] for curve in curves] == pytest.approx([0.82, 0.98], abs=printed(2))
    assert [curve[-1] for curve in outputs["quadratic cost"]] == pytest.approx([0.09, 0.20], abs=printed(2))
    assert [curve[-1] for curve in outputs["cross-entropy"]] == pytest.approx([0.012, 0.012], abs=printed(3))


@pytest.mark.parametrize("cost", ["quadratic cost", "cross-entropy"])
def test_every_epoch_against_the_formulas(cost: str) -> None:
    for start, curve in zip(STARTS, result_of("saturation").outputs[cost], strict=True):
        w, b = start
        expected = []
        for _ in range(301):
            a = 1.0 / (1.0 + math.exp(-(w + b)))
            expected.append(a)
            gradient = a * a * (1.0 - a) if cost == "quadratic cost" else a
            w, b = w - 0.15 * gradient, b - 0.15 * gradient
        assert len(curve) == 301
        # A few roundings in each epoch.
        np.testing.assert_allclose(curve, expected, rtol=8 * 300 * EPS)


def test_the_worse_start_waits_with_the_quadratic_cost_alone() -> None:
    outputs = result_of("saturation").outputs
    halved = {cost: [int(np.argmax(curve < 0.5)) for curve in curves] for cost, curves in outputs.items()}
    assert halved["quadratic cost"][1] > 4 * halved["quadratic cost"][0] > 0
    assert halved["cross-entropy"][1] < 20
