"""Every function with arguments by rows, for the promise of the same bits; `python -m tests.bit_cases` prints digests.

A case takes logits of shape (rows, classes) - or one row, or the classes on another axis, its companions likewise - and
returns arrays that have the rows, or the rows and the classes, as their axes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import softgrad as sg

DTYPES = tuple(np.dtype(d) for d in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16))
SHAPES = ((131, 3), (70, 10), (20, 67), (9, 700), (3, 4099))
SEED = 20261203


class Rows(NamedTuple):
    """Logits and what goes with them. By row and class: x, other, q, mask. By row: labels, weight. By class: w."""

    x: NDArray[Any]
    other: NDArray[Any]
    q: NDArray[Any]
    mask: NDArray[np.bool_]
    labels: NDArray[np.int64]
    weight: NDArray[np.float64]
    w: NDArray[np.float64]

    def rows(self, part: Any) -> Rows:
        """Some of the rows; one by its number."""
        return Rows(*(field[part] for field in self[:-1]), self.w)

    def laid_out(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Rows:
        """Rows of these values, with what has rows and classes in another layout."""
        return self._replace(x=change(self.x), other=change(self.other), q=change(self.q), mask=change(self.mask))


def draw(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> Rows:
    rows, classes = shape
    labels = rng.integers(classes, size=rows)
    mask = rng.random(shape) < 0.7
    mask[np.arange(rows), labels] = True
    x = 6.0 * rng.standard_normal(shape)
    x[::3] += 40.0
    q = rng.uniform(0.0, 1.0, shape) * mask
    other = rng.standard_normal(shape)
    weight = rng.uniform(0.5, 2.0, rows)
    weight[1::7] = 0.0
    return Rows(
        x.astype(dtype), other.astype(dtype), q.astype(dtype), mask, labels, weight, rng.uniform(0.5, 2.0, classes)
    )


def _loss(function: Any, *names: str, **options: Any) -> Callable[..., tuple[Any, ...]]:
    """Loss and gradient of each row; `names` are the fields of Rows that the function takes after the logits."""

    def evaluate(rows: Rows, axis: int = -1, out: Any = None) -> tuple[Any, ...]:
        fields = rows._asdict()
        given = {key: fields.get(value, value) for key, value in options.items()}
        if "axis" in function.__call__.__annotations__:
            given["axis"] = axis
        upstream = 0.5 + rows.weight if function is not sg.binary_cross_entropy else 0.5 + rows.mask
        loss, gradient = function.value_and_grad(
            rows.x, *(fields[name] for name in names), reduction="none", upstream=upstream, out=out, **given
        )
        return loss, gradient

    return evaluate


def _map(function: Any, **options: Any) -> Callable[..., tuple[Any, ...]]:
    def evaluate(rows: Rows, axis: int = -1, out: Any = None) -> tuple[Any, ...]:
        given = {key: rows.mask if value == "mask" else value for key, value in options.items()}
        if "axis" in function.__call__.__annotations__:
            given["axis"] = axis
        return (function(rows.x, out=out, **given) if out is not None else function(rows.x, **given),)

    return evaluate


def _derivative(function: Any, verb: str, field: str = "other", **options: Any) -> Callable[..., tuple[Any, ...]]:
    def evaluate(rows: Rows, axis: int = -1) -> tuple[Any, ...]:
        given = {key: rows.mask if value == "mask" else value for key, value in options.items()}
        if "axis" in function.__call__.__annotations__:
            given["axis"] = axis
        vector = getattr(rows, field)
        if field == "weight":
            vector = np.asarray(vector).astype(rows.x.dtype)
        return (getattr(function, verb)(rows.x, vector, **given),)

    return evaluate


def _from_output(function: Any, verb: str, **options: Any) -> Callable[..., tuple[Any, ...]]:
    def evaluate(rows: Rows, axis: int = -1) -> tuple[Any, ...]:
        given = {key: rows.mask if value == "mask" else value for key, value in options.items()} | {"axis": axis}
        output = function(rows.x, out=np.empty_like(rows.x), **given)
        return (getattr(function, verb)(None, rows.other, output=output, **given),)

    return evaluate


def _token_logprobs(rows: Rows, axis: int = -1) -> tuple[Any, ...]:
    return tuple(sg.token_logprobs(rows.x, rows.labels, axis=axis))


EVERYTHING = {
    "class_weight": "w",
    "sample_weight": "weight",
    "label_smoothing": 0.1,
    "temperature": 1.3,
    "softcap": 12.0,
    "z_loss": 0.01,
    "where": "mask",
}
# Those that take out= first: they are also called in place.
IN_PLACE: dict[str, Callable[..., tuple[Any, ...]]] = {
    "softmax": _map(sg.softmax),
    "softmax, where and temperature": _map(sg.softmax, where="mask", temperature=0.7),
    "log_softmax": _map(sg.log_softmax),
    "log_softmax, where and temperature": _map(sg.log_softmax, where="mask", temperature=0.7),
    "sigmoid": _map(sg.sigmoid),
    "log_sigmoid": _map(sg.log_sigmoid),
    "cross_entropy": _loss(sg.cross_entropy, "labels"),
    "cross_entropy, smoothed": _loss(sg.cross_entropy, "labels", label_smoothing=0.1),
    "cross_entropy, probabilities": _loss(sg.cross_entropy, "q"),
    "cross_entropy, every option": _loss(sg.cross_entropy, "labels", **EVERYTHING),
    "cross_entropy, probabilities, every option": _loss(sg.cross_entropy, "q", **EVERYTHING),
    "quadratic": _loss(sg.quadratic, "other", sample_weight="weight"),
    "binary_cross_entropy": _loss(sg.binary_cross_entropy, "q", label_smoothing=0.1),
    "kl_divergence": _loss(sg.kl_divergence, "other", temperature=1.7, sample_weight="weight"),
    "kl_divergence, where": _loss(sg.kl_divergence, "other", where="mask"),
    "focal": _loss(sg.focal, "labels", gamma=1.5, class_weight="w"),
}
CASES: dict[str, Callable[..., tuple[Any, ...]]] = IN_PLACE | {
    "logsumexp": _map(sg.logsumexp),
    "logsumexp, where": _map(sg.logsumexp, where="mask"),
    "token_logprobs": _token_logprobs,
    "softmax.vjp": _derivative(sg.softmax, "vjp"),
    "softmax.jvp": _derivative(sg.softmax, "jvp", where="mask", temperature=0.7),
    "log_softmax.vjp": _derivative(sg.log_softmax, "vjp"),
    "log_softmax.jvp": _derivative(sg.log_softmax, "jvp", where="mask", temperature=0.7),
    "softmax.vjp, given output": _from_output(sg.softmax, "vjp"),
    "softmax.jvp, given output": _from_output(sg.softmax, "jvp", where="mask", temperature=0.7),
    "log_softmax.vjp, given output": _from_output(sg.log_softmax, "vjp"),
    "log_softmax.jvp, given output": _from_output(sg.log_softmax, "jvp"),
    "log_softmax.vjp, given output, where and temperature": _from_output(
        sg.log_softmax, "vjp", where="mask", temperature=0.7
    ),
    "logsumexp.vjp": _derivative(sg.logsumexp, "vjp", "weight"),
    "logsumexp.jvp": _derivative(sg.logsumexp, "jvp"),
    "sigmoid.vjp": _derivative(sg.sigmoid, "vjp"),
    "log_sigmoid.jvp": _derivative(sg.log_sigmoid, "jvp"),
}


def means(rows: Rows, axis: int = -1) -> tuple[Any, ...]:
    """The losses reduced over the rows, and their gradients."""
    return (
        *sg.cross_entropy.value_and_grad(rows.x, rows.labels, axis=axis),
        *sg.cross_entropy.value_and_grad(rows.x, rows.q, axis=axis, sample_weight=rows.weight, label_smoothing=0.1),
        *sg.cross_entropy.value_and_grad(rows.x, rows.labels, axis=axis, normalizer="count", class_weight=rows.w),
        *sg.quadratic.value_and_grad(rows.x, rows.other, axis=axis, reduction="sum"),
        *sg.kl_divergence.value_and_grad(rows.x, rows.other, axis=axis),
        *sg.focal.value_and_grad(rows.x, rows.labels, axis=axis, sample_weight=rows.weight),
        *sg.binary_cross_entropy.value_and_grad(rows.x, rows.q),
    )


def bits(results: tuple[Any, ...]) -> list[bytes]:
    return [np.ascontiguousarray(each).tobytes() for each in results]


def main() -> None:
    rng = np.random.default_rng(SEED)
    digests: dict[str, str] = {}
    for dtype in DTYPES:
        for shape in SHAPES:
            rows = draw(rng, shape, dtype)
            for name, case in (CASES | {"means": means}).items():
                digests[f"{name}, {dtype}, {shape}"] = hashlib.sha256(b"".join(bits(case(rows)))).hexdigest()
    print(json.dumps({"instruction_set": sg.show_config()["instruction_set"], "digests": digests}))


if __name__ == "__main__":
    main()
