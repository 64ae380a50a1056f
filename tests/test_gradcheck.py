"""check_gradient: right gradients pass, each planted error is caught, noise is admitted."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import softgrad
from softgrad.gradcheck import check_gradient

SEED = 20240607
SHAPES = [(20, 10), (2, 3000)]


def cross_entropy(x: np.ndarray, labels: np.ndarray) -> float:
    top = x.max(axis=1, keepdims=True)
    lse = np.log(np.exp(x - top).sum(axis=1)) + top[:, 0]
    return float(np.mean(lse - x[np.arange(len(labels)), labels]))


def gradient(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1.0
    return p / len(labels)


def problem(rows: int, classes: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([SEED, rows, classes])
    return scale * generator.standard_normal((rows, classes)), generator.integers(0, classes, rows)


def planted(change: Callable[[np.ndarray], None]) -> Callable[..., np.ndarray]:
    def wrong(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        g = gradient(x, labels)
        change(g)
        return g

    return wrong


def set_to(index: tuple[int, int], value: float) -> Callable[[np.ndarray], None]:
    def change(g: np.ndarray) -> None:
        g[index] = value

    return change


class Loss:
    """The shape of a softgrad loss, on the formulas above."""

    def __call__(self, x: Any, labels: Any, *, factor: float = 1.0) -> float:
        return factor * cross_entropy(x, labels)

    def value_and_grad(self, x: Any, labels: Any, *, factor: float = 1.0) -> tuple[float, np.ndarray]:
        return factor * cross_entropy(x, labels), factor * gradient(x, labels)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1), (1, 128_256)])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_right_gradient_passes(shape: tuple[int, int], scale: float) -> None:
    report = check_gradient(cross_entropy, *problem(*shape, scale), grad=gradient)
    assert report.passed, report
    assert report.verdict == "pass"
    assert report.worst_error < 1e-8


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda g: np.negative(g, out=g), id="sign"),
        pytest.param(lambda g: np.multiply(g, 2.0, out=g), id="factor"),
        pytest.param(lambda g: np.multiply(g, 1.0 + 1e-4, out=g), id="relative 1e-4"),
        pytest.param(lambda g: np.multiply(g, 1.0 + 1e-6, out=g), id="relative 1e-6"),
        pytest.param(lambda g: g.fill(0.0), id="zero"),
        pytest.param(lambda g: np.add(g, 1e-4 * np.abs(g).max(), out=g), id="along the ones"),
        pytest.param(lambda g: g.fill(np.nan), id="all NaN"),
        pytest.param(lambda g: np.copyto(g, g[::-1].copy()), id="rows exchanged"),
    ],
)
def test_a_planted_error_is_caught(shape: tuple[int, int], change: Callable[[np.ndarray], None]) -> None:
    report = check_gradient(cross_entropy, *problem(*shape), grad=planted(change))
    assert report.verdict == "fail", report
    assert not report.passed
    assert report.worst_index is not None
    assert not abs(report.analytic - report.numeric) <= 1e-7 * abs(report.numeric)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 50_000)])
@pytest.mark.parametrize("value", [0.0, 1e-3, np.nan, np.inf, -np.inf])
def test_one_wrong_component_is_named(shape: tuple[int, int], value: float) -> None:
    index = (shape[0] - 1, shape[1] // 3)
    x, labels = problem(*shape)
    report = check_gradient(cross_entropy, x, labels, grad=planted(set_to(index, value)))
    assert report.verdict == "fail", report
    assert report.worst_index == index
    truth = gradient(x, labels)[index]
    assert abs(report.numeric - truth) <= 100.0 * report.error_estimate
    assert report.analytic == value or np.isnan(report.analytic)


def test_one_component_off_by_a_ten_thousandth_is_named() -> None:
    x, labels = problem(20, 10)
    change = planted(lambda g: g.__setitem__((3, 2), g[3, 2] * 1.0001))
    report = check_gradient(cross_entropy, x, labels, grad=change)
    assert report.verdict == "fail"
    assert report.worst_index == (3, 2)
    assert report.worst_error == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize("level", [1e-10, 1e-7, 1e-3])
@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_inconclusive(shape: tuple[int, int], level: float) -> None:
    noise = np.random.default_rng(SEED)

    def noisy(x: np.ndarray, labels: np.ndarray) -> float:
        return cross_entropy(x, labels) + level * noise.standard_normal()

    report = check_gradient(noisy, *problem(*shape), grad=gradient)
    assert report.verdict == "inconclusive", report
    assert not report.passed


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_function_in_float32_is_inconclusive_and_not_wrong(shape: tuple[int, int], scale: float) -> None:
    def single(x: np.ndarray, labels: np.ndarray) -> float:
        return cross_entropy(x.astype(np.float32), labels)

    report = check_gradient(single, *problem(*shape, scale), grad=gradient)
    assert report.verdict == "inconclusive", report


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_weights_on_features_of_any_size(scale: float, start: float) -> None:
    generator = np.random.default_rng(SEED)
    hidden = scale * generator.standard_normal((50, 20))
    labels = generator.integers(0, 5, 50)
    weight = start / scale * generator.standard_normal((5, 20))

    def loss(w: np.ndarray) -> float:
        return cross_entropy(hidden @ w.T, labels)

    def right(w: np.ndarray) -> np.ndarray:
        return gradient(hidden @ w.T, labels).T @ hidden

    assert check_gradient(loss, weight, grad=right).passed
    assert check_gradient(loss, weight, grad=lambda w: right(w) * (1.0 + 1e-5)).verdict == "fail"


def test_steps_that_are_all_too_wide_do_not_condemn_a_right_gradient() -> None:
    generator = np.random.default_rng(SEED)
    hidden = 1e6 * generator.standard_normal((50, 20))
    labels = generator.integers(0, 5, 50)
    report = check_gradient(
        lambda w: cross_entropy(hidden @ w.T, labels),
        np.zeros((5, 20)),
        grad=lambda w: gradient(hidden @ w.T, labels).T @ hidden,
    )
    assert report.verdict != "fail", report


def test_a_constant_function_has_gradient_zero_and_no_other() -> None:
    x = np.array([1.0, 2.0])
    assert check_gradient(lambda _: 5.0, x, grad=lambda _: np.zeros(2)).passed
    assert check_gradient(lambda _: 5.0, x, grad=lambda _: np.array([0.0, 1e-9])).verdict == "fail"


def test_a_gradient_below_the_last_bit_is_inconclusive() -> None:
    report = check_gradient(lambda x: 1e10 + 1e-8 * x[0], np.array([1.0]), grad=lambda _: np.array([1e-8]))
    assert report.verdict == "inconclusive"


def test_outside_the_domain_is_inconclusive() -> None:
    def log_sum(x: np.ndarray) -> float:
        with np.errstate(invalid="ignore"):
            return float(np.log(x).sum())

    assert check_gradient(log_sum, np.array([-1.0, 2.0]), grad=lambda x: 1.0 / x).verdict == "inconclusive"
    assert check_gradient(log_sum, np.array([0.01, 2.0]), grad=lambda x: 1.0 / x).passed


def test_masked_logits_stay_masked() -> None:
    x, labels = problem(4, 6)
    x[:, 5] = -np.inf
    labels[:] = 1
    assert check_gradient(cross_entropy, x, labels, grad=gradient).passed


def test_a_loss_brings_its_own_gradient_and_options_reach_both() -> None:
    x, labels = problem(3, 4)
    one = check_gradient(Loss(), x, labels)
    three = check_gradient(Loss(), x, labels, factor=3.0)
    assert one.passed
    assert three.passed
    doubled = check_gradient(Loss(), x, labels, grad=lambda x, y, **_: gradient(x, y), factor=2.0)
    assert doubled.verdict == "fail"


def test_low_precision_arguments_are_evaluated_in_float64() -> None:
    x, labels = problem(5, 4)
    seen = set()

    def loss(x: np.ndarray, labels: np.ndarray) -> float:
        seen.add((x.dtype, labels.dtype))
        return cross_entropy(x, labels)

    assert check_gradient(loss, x.astype(np.float32), labels.astype(np.int8), grad=gradient).passed
    # The complex one is the trial of a complex step, which `float` refuses.
    assert seen == {(np.dtype(np.float64), np.dtype(np.int8)), (np.dtype(np.complex128), np.dtype(np.int8))}


def test_arguments_are_not_written_to() -> None:
    x, labels = problem(5, 4)
    before = x.copy()
    x.flags.writeable = False
    assert check_gradient(cross_entropy, x, labels, grad=gradient).passed
    assert np.array_equal(x, before)


def test_the_same_call_gives_the_same_report() -> None:
    x, labels = problem(2, 3000)
    assert check_gradient(cross_entropy, x, labels, grad=gradient) == check_gradient(
        cross_entropy, x, labels, grad=gradient
    )


def test_named_tuple_of_gradients() -> None:
    gradients = namedtuple("gradients", ["a", "c"])

    def product(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
        return float(a @ c) + float(b.sum())

    def grad(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Any:
        return gradients(a=c, c=a * (b > 0))

    arrays = np.array([1.0, 2.0]), np.array([1, 2]), np.array([-1.0, 0.5])
    assert check_gradient(product, *arrays, grad=grad, wrt=0).passed
    assert check_gradient(product, *arrays, grad=grad, wrt=2).passed
    with pytest.raises(ValueError, match=r"argument 1 \(b\) has no gradient; those with one are a, c"):
        check_gradient(product, *arrays, grad=grad, wrt=1)


def test_a_scalar_argument() -> None:
    report = check_gradient(np.sin, 0.3, grad=np.cos)
    assert report.passed
    assert report.worst_index == ()


def test_report_as_text() -> None:
    text = str(check_gradient(np.sin, 0.3, grad=np.sin))
    assert text.startswith(
        "fail (the gradient is wrong at index []): worst relative error 6.9e-01 at index [], analytic 0.29"
    )


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: check_gradient(np.sin, 0.3), TypeError, "no value_and_grad, no grad and no vjp"),
        (lambda: check_gradient(np.sin, 0.3, grad=np.cos, wrt=1), ValueError, "wrt is 1; there are 1 arguments"),
        (lambda: check_gradient(np.sin, 0.3, grad=np.cos, wrt=-1), ValueError, "wrt is -1"),
        (lambda: check_gradient(np.sum, [], grad=np.ones_like), ValueError, r"shape \(0,\): there is nothing"),
        (lambda: check_gradient(np.sin, [1.0, 2.0], grad=np.cos), ValueError, r"shape \(2,\); one real value"),
        (lambda: check_gradient(np.sum, [1.0, 2.0], grad=lambda _: 1.0), ValueError, r"gradient has shape \(\)"),
        (lambda: check_gradient(np.sum, [1j], grad=np.ones_like), TypeError, "argument 0 has dtype complex128"),
        (lambda: check_gradient(np.sum, [1.0], grad=lambda x: 1j * x), TypeError, "gradient has dtype complex128"),
        (lambda: check_gradient(lambda _: "1", [1.0], grad=np.ones_like), ValueError, "one real value"),
    ],
)
def test_errors_name_the_culprit(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("shape", SHAPES)
def test_softgrad_cross_entropy(shape: tuple[int, int]) -> None:
    report = softgrad.check_gradient(softgrad.cross_entropy, *problem(*shape), label_smoothing=0.1)
    assert report.passed, report
    assert report.worst_error < 1e-8


@pytest.mark.parametrize("wrt", [0, 1, 3])
def test_softgrad_linear_cross_entropy(wrt: int) -> None:
    generator = np.random.default_rng(SEED)
    arrays = (
        generator.standard_normal((30, 8)),
        generator.standard_normal((5, 8)),
        generator.integers(0, 5, 30),
        generator.standard_normal(5),
    )
    report = softgrad.check_gradient(softgrad.linear_cross_entropy, *arrays, wrt=wrt)
    assert report.passed, report
    assert report.worst_error < 1e-8
