"""Peak memory of every call beyond its arguments and results; `python -m tests.memory_cases float32 last` prints it.

Each call runs in a fork of a process that has nothing but the arguments, and is measured by the resident set of that
fork: tracemalloc does not see what the native core allocates, and the peak of a process that has worked before may hide
in memory it has kept. For the same reason the allocator is told to give back what is freed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import softgrad as sg

# Of glibc: freed memory is not kept for the next call.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**16)}
CLASSES = 1024
# In units of the operating system.
UNIT = 1 if sys.platform == "darwin" else 1024
# Results that are matrices, and a function whose temporaries are a question of their own.
LEFT_OUT = {"jacobian", "hessian", "linear_cross_entropy"}
LOSSES = ("__call__", "value_and_grad", "grad", "jvp", "hvp", "hessian_diagonal")
MAPS = ("__call__", "vjp", "jvp", "hvp")


def draw(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray[Any]:
    array = np.empty(shape, dtype)
    for row in array:
        row[...] = rng.standard_normal(shape[1])
    return array


def cases(dtype: np.dtype, axis: int, rows: int) -> dict[str, Callable[[], Any]]:
    """Every verb of every function; those with options that take another path once more."""
    rng = np.random.default_rng(5)
    shape = (rows, CLASSES) if axis == -1 else (CLASSES, rows)
    x, other, cotangent, vector, q = (draw(rng, shape, dtype) for _ in range(5))
    np.clip(q, 0.0, 1.0, out=q)
    mask = other > -1.0
    labels = rng.integers(CLASSES, size=rows)
    mask[(np.arange(rows), labels) if axis == -1 else (labels, np.arange(rows))] = True
    weight, by_class = rng.uniform(0.5, 2.0, rows), rng.uniform(0.5, 2.0, CLASSES)
    on_axis = {"axis": axis}
    options = {"sample_weight": weight, "class_weight": by_class, **on_axis}
    variants: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "softmax": ((), on_axis),
        "softmax, where": ((), {"where": mask, "temperature": 0.7, **on_axis}),
        "log_softmax": ((), on_axis),
        "logsumexp": ((), on_axis),
        "sigmoid": ((), {}),
        "log_sigmoid": ((), {}),
        "cross_entropy": ((labels,), options),
        "cross_entropy, probabilities": ((q,), on_axis),
        "cross_entropy, everything": (
            (labels,),
            {"label_smoothing": 0.1, "softcap": 9.0, "z_loss": 0.01, "where": mask, **options},
        ),
        "cross_entropy, smoothed": ((labels,), {"label_smoothing": 0.1, "where": mask, **options}),
        "quadratic": ((other,), {"sample_weight": weight, **on_axis}),
        "binary_cross_entropy": ((q,), {"sample_weight": q, "pos_weight": q, "label_smoothing": 0.1}),
        "kl_divergence": ((other,), on_axis),
        "kl_divergence, where": ((other,), {"where": mask, "sample_weight": weight, **on_axis}),
        "focal": ((labels,), options),
        "token_logprobs": ((labels,), on_axis),
    }
    by_row = {"logsumexp": weight.astype(dtype), "token_logprobs": (weight, weight)}
    found = {}
    for variant, (arguments, given) in variants.items():
        name = variant.split(",")[0]
        member = sg.registry()[name]
        loss = hasattr(member, "value_and_grad")
        for verb in LOSSES if loss else MAPS:
            if not hasattr(member, verb):
                continue
            by_verb = {
                "jvp": (vector,),
                "vjp": (by_row.get(name, cotangent),),
                "hvp": (vector,) if loss else (by_row.get(name, cotangent), vector),
            }
            found[f"{variant}.{verb}"] = bound(getattr(member, verb), (x, *arguments, *by_verb.get(verb, ())), given)
    # What the measurement has to see: a copy in float64, and truth values of the size of the input.
    found["a copy"] = lambda: float(x.astype(np.float64)[0, 0])
    found["truth values"] = lambda: bool((x > 0.0).any())
    return found


def bound(method: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Callable[[], Any]:
    return lambda: method(*arguments, **options)


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def results_size(results: Any) -> int:
    parts = results if isinstance(results, tuple) else (results,)
    return sum(part.nbytes for part in parts if isinstance(part, np.ndarray))


def extra(call: Callable[[], Any]) -> int:
    """Bytes that a call takes at its peak beyond what was there before and what it returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            before = peak()
            kept = results_size(call())
            os.write(writing, json.dumps(peak() - before - kept).encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the call failed with status {status}")
    return int(json.loads(text))


def main() -> None:
    dtype, axis, rows = np.dtype(sys.argv[1]), {"last": -1, "first": 0}[sys.argv[2]], int(sys.argv[3])
    print(json.dumps({name: extra(call) for name, call in cases(dtype, axis, rows).items()}))


if __name__ == "__main__":
    main()
