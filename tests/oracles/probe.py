"""A compact check of one instruction set, for a process of its own: `python -m tests.oracles.probe`.

Prints one JSON object: the instruction set in use, the worst error of each function as a fraction of its bound, and
a hash of the bits of all results, which are drawn from a fixed seed.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

import softgrad as sg
from tests.oracles import exact
from tests.oracles.bounds import (
    DTYPES,
    GRADIENT,
    LOG_SIGMOID,
    LOG_SOFTMAX,
    LOGSUMEXP,
    LOSS,
    SIGMOID,
    SOFTMAX,
)
from tests.oracles.inputs import FAMILIES, GROUP, LANES, STRETCH, elementwise_inputs
from tests.oracles.ulp import ulp_error

SEED = 20240229


class Probe:
    def __init__(self) -> None:
        self.worst: dict[str, float] = {}
        self.bits = hashlib.sha256()

    def see(self, name, bounds, actual, expected, scale=None):
        error = float(np.max(ulp_error(actual, expected, scale=scale))) / bounds[actual.dtype]
        key = f"{name} {actual.dtype}"
        self.worst[key] = max(self.worst.get(key, 0.0), error)
        self.bits.update(np.ascontiguousarray(actual).tobytes())

    def rows(self, rng, x):
        labels = rng.integers(x.shape[1], size=x.shape[0])
        self.see("softmax", SOFTMAX, sg.softmax(x), exact.softmax(x))
        self.see("log_softmax", LOG_SOFTMAX, sg.log_softmax(x), exact.log_softmax(x))
        lse = exact.logsumexp(x)
        largest = np.max(np.abs(x), axis=-1, where=np.isfinite(x), initial=0.0)
        self.see("logsumexp", LOGSUMEXP, sg.logsumexp(x), lse, np.maximum(np.abs(lse), largest))
        for chosen in (labels, np.argmax(x, axis=1)):
            losses = sg.cross_entropy(x, chosen, reduction="none")
            self.see("cross_entropy", LOSS, losses, exact.loss(x, chosen))
            gradient = sg.cross_entropy.grad(x, chosen, reduction="sum")
            self.see("cross_entropy.grad", GRADIENT, gradient, exact.gradient(x, chosen))
            mean = sg.cross_entropy(x, chosen, label_smoothing=0.1)
            self.bits.update(np.asarray(mean).tobytes())

    def elements(self, x):
        self.see("sigmoid", SIGMOID, sg.sigmoid(x), exact.sigmoid(x))
        self.see("log_sigmoid", LOG_SIGMOID, sg.log_sigmoid(x), exact.log_sigmoid(x))


def main() -> None:
    probe, rng = Probe(), np.random.default_rng(SEED)
    for dtype in DTYPES:
        for family in FAMILIES.values():
            for shape in ((150, 3), (70, 10), (3, LANES[dtype] + 1), (3, GROUP[dtype] + 1), (1, STRETCH + 1)):
                probe.rows(rng, family(rng, shape, dtype))
        probe.elements(elementwise_inputs(rng, dtype))
    print(
        json.dumps(
            {
                "instruction_set": sg.show_config()["instruction_set"],
                "worst": probe.worst,
                "bits": probe.bits.hexdigest(),
            }
        )
    )


if __name__ == "__main__":
    main()
