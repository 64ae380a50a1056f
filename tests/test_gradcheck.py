"""check_gradient: right gradients pass, each planted error is caught, noise is admitted."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import softgrad
from softgrad.gradcheck import assert_gradient, check_gradient
from tests.gradcheck_problems import cross_entropy, gradient, problem
from tests.oracles.bounds import HALF_OF_THE_DIGITS
from tests.oracles.inputs import fresh_rng

SHAPES = [(6, 5), (2, 1500)]


class Loss:
    """The shape of a softgrad loss, on the formulas above."""

    def __call__(self, x: Any, labels: Any, *, factor: float = 1.0) -> float:
        return factor * cross_entropy(x, labels)

    def value_and_grad(self, x: Any, labels: Any, *, factor: float = 1.0) -> tuple[float, np.ndarray]:
        return factor * cross_entropy(x, labels), factor * gradient(x, labels)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1), (1, 50_000)])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_right_gradient_passes(shape: tuple[int, int], scale: float) -> None:
    report = check_gradient(cross_entropy, *problem(fresh_rng(), *shape, scale), grad=gradient)
    assert report.passed, report
    assert report.verdict == "pass"
    assert report.worst_error < HALF_OF_THE_DIGITS


def test_one_component_off_by_a_ten_thousandth_is_named() -> None:
    share = 1e-4

    def off(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        g = gradient(x, labels)
        g[3, 2] *= 1.0 + share
        return g

    report = check_gradient(cross_entropy, *problem(fresh_rng(), 6, 5), grad=off)
    assert report.verdict == "fail"
    assert report.worst_index == (3, 2)
    assert report.worst_error == pytest.approx(share / (1.0 + share), rel=HALF_OF_THE_DIGITS / share, abs=0.0)


@pytest.mark.parametrize("level", [1e-10, 1e-7, 1e-3])
@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_inconclusive(shape: tuple[int, int], level: float) -> None:
    noise = fresh_rng()

    def noisy(x: np.ndarray, labels: np.ndarray) -> float:
        return cross_entropy(x, labels) + level * noise.standard_normal()

    report = check_gradient(noisy, *problem(fresh_rng(), *shape), grad=gradient)
    assert report.verdict == "inconclusive", report
    assert not report.passed


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_function_in_float32_is_inconclusive_and_not_wrong(shape: tuple[int, int], scale: float) -> None:
    def single(x: np.ndarray, labels: np.ndarray) -> float:
        return cross_entropy(x.astype(np.float32), labels)

    report = check_gradient(single, *problem(fresh_rng(), *shape, scale), grad=gradient)
    assert report.verdict == "inconclusive", report


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_weights_on_features_of_any_size(scale: float, start: float) -> None:
    generator = fresh_rng()
    hidden = scale * generator.standard_normal((20, 6))
    labels = generator.integers(0, 4, 20)
    weight = start / scale * generator.standard_normal((4, 6))

    def loss(w: np.ndarray) -> float:
        return cross_entropy(hidden @ w.T, labels)

    def right(w: np.ndarray) -> np.ndarray:
        return gradient(hidden @ w.T, labels).T @ hidden

    assert check_gradient(loss, weight, grad=right).passed
    assert check_gradient(loss, weight, grad=lambda w: right(w) * (1.0 + 1e-5)).verdict == "fail"


def test_steps_that_are_all_too_wide_do_not_condemn_a_right_gradient() -> None:
    generator = fresh_rng()
    hidden = 1e6 * generator.standard_normal((20, 6))
    labels = generator.integers(0, 4, 20)
    report = check_gradient(
        lambda w: cross_entropy(hidden @ w.T, labels),
        np.zeros((4, 6)),
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
    x, labels = problem(fresh_rng(), 4, 6)
    x[:, 5] = -np.inf
    labels[:] = 1
    assert check_gradient(cross_entropy, x, labels, grad=gradient).passed


def test_a_loss_brings_its_own_gradient_and_options_reach_both() -> None:
    x, labels = problem(fresh_rng(), 3, 4)
    one = check_gradient(Loss(), x, labels)
    three = check_gradient(Loss(), x, labels, factor=3.0)
    assert one.passed
    assert three.passed
    doubled = check_gradient(Loss(), x, labels, grad=lambda x, y, **_: gradient(x, y), factor=2.0)
    assert doubled.verdict == "fail"


def test_low_precision_arguments_are_evaluated_in_float64() -> None:
    x, labels = problem(fresh_rng(), 5, 4)
    seen = set()

    def loss(x: np.ndarray, labels: np.ndarray) -> float:
        seen.add((x.dtype, labels.dtype))
        return cross_entropy(x, labels)

    assert check_gradient(loss, x.astype(np.float32), labels.astype(np.int8), grad=gradient).passed
    # The complex one is the trial of a complex step, which `float` refuses.
    assert seen == {(np.dtype(np.float64), np.dtype(np.int8)), (np.dtype(np.complex128), np.dtype(np.int8))}


def test_arguments_are_not_written_to() -> None:
    x, labels = problem(fresh_rng(), 5, 4)
    before = x.copy()
    x.flags.writeable = False
    assert check_gradient(cross_entropy, x, labels, grad=gradient).passed
    assert np.array_equal(x, before)


def test_the_same_call_gives_the_same_report() -> None:
    x, labels = problem(fresh_rng(), 2, 1500)
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
        (
            lambda: check_gradient(softgrad.quadratic, [1.0, 2.0], [0.0, 1.0], wrt=1),
            ValueError,
            "wrt is 1; <softgrad.quadratic> brings its gradient by argument 0",
        ),
        (lambda: check_gradient(lambda _: "1", [1.0], grad=np.ones_like), ValueError, "one real value"),
    ],
)
def test_errors_name_the_culprit(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_a_loss_without_reduction_is_weighted() -> None:
    x, labels = problem(fresh_rng(), 4, 3)
    report = check_gradient(softgrad.cross_entropy, x, labels, reduction="none")
    assert report.passed, report

    class Wrong:
        """Takes the weights of the rows in the wrong order."""

        def __call__(self, *arrays: Any, **options: Any) -> Any:
            return softgrad.cross_entropy(*arrays, **options)

        def grad(self, *arrays: Any, upstream: Any, **options: Any) -> Any:
            return softgrad.cross_entropy.grad(*arrays, upstream=upstream[::-1], **options)

    assert check_gradient(Wrong(), x, labels, reduction="none").verdict == "fail"


def test_the_assertion_has_a_table_of_the_worst_components() -> None:
    x, labels = problem(fresh_rng(), 4, 5)
    assert assert_gradient(cross_entropy, x, labels, grad=gradient) == check_gradient(
        cross_entropy, x, labels, grad=gradient
    )

    def wrong(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        g = gradient(x, labels)
        g[2, 1] = 7.0
        g[0, 3] *= 1.001
        return g

    with pytest.raises(AssertionError) as caught:
        assert_gradient(cross_entropy, x, labels, grad=wrong)
    first, head, *rows = str(caught.value).splitlines()
    assert first == "fail: the gradient is wrong at index [2, 1] (central differences, float64)"
    assert head.split() == ["index", "analytic", "numeric", "relative", "error", "estimated", "error"]
    assert len(rows) == 10
    assert rows[0].split()[:3] == ["[2,", "1]", "7"]
    assert rows[1].split()[:2] == ["[0,", "3]"]
    assert rows[1].split()[4] == "1.0e-03"


def test_the_assertion_holds_no_doubt_for_right() -> None:
    with pytest.raises(AssertionError, match=r"inconclusive: the function has a kink near x at index \[0\]"):
        assert_gradient(lambda x: np.abs(x).sum(), [0.0], grad=np.sign)


@pytest.mark.parametrize("shape", SHAPES)
def test_softgrad_cross_entropy(shape: tuple[int, int]) -> None:
    report = softgrad.check_gradient(softgrad.cross_entropy, *problem(fresh_rng(), *shape), label_smoothing=0.1)
    assert report.passed, report
    assert report.worst_error < HALF_OF_THE_DIGITS


@pytest.mark.parametrize("wrt", [0, 1, 3])
def test_softgrad_linear_cross_entropy(wrt: int) -> None:
    generator = fresh_rng()
    arrays = (
        generator.standard_normal((10, 4)),
        generator.standard_normal((5, 4)),
        generator.integers(0, 5, 10),
        generator.standard_normal(5),
    )
    report = softgrad.check_gradient(softgrad.linear_cross_entropy, *arrays, wrt=wrt)
    assert report.passed, report
    assert report.worst_error < HALF_OF_THE_DIGITS


def test_an_argument_may_be_none() -> None:
    rng = fresh_rng()
    arrays = rng.standard_normal((4, 3)), rng.standard_normal((5, 3)), rng.integers(0, 5, 4), None
    report = softgrad.check_gradient(softgrad.linear_cross_entropy, *arrays, wrt=1)
    assert report.passed, report
    for report in softgrad.check_derivatives(softgrad.linear_cross_entropy, *arrays).values():
        assert report.passed, report
