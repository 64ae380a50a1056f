"""Functions that write into their arguments or return one buffer each time: the verdict is that of their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import softgrad
from softgrad.gradcheck import assert_gradient, check_derivatives, check_gradient, step_errors
from tests.cli.conftest import run, succeeds
from tests.gradcheck_problems import cross_entropy, gradient, problem
from tests.oracles.inputs import fresh_rng

FUNCTION = "argument 0 of the function"
GRADIENT = "argument 0 of the gradient"


def quartic(x: np.ndarray) -> Any:
    """The sum of x^4."""
    x *= x
    x *= x
    return x.sum()


def normalized(x: np.ndarray) -> Any:
    """A weight of x, divided by its norm."""
    x /= np.sqrt((x * x).sum())
    return (np.arange(1.0, 1.0 + x.size) * x.reshape(-1)).sum()


def gradient_of_normalized(x: np.ndarray) -> np.ndarray:
    norm = np.sqrt((x * x).sum())
    weights = np.arange(1.0, 1.0 + x.size, dtype=x.dtype).reshape(x.shape)
    return (weights - x * ((weights * x).sum() / norm**2)) / norm


def cube(x: np.ndarray) -> Any:
    return (x**3).sum()


def points(dtype: Any = np.float64) -> np.ndarray:
    return fresh_rng().uniform(0.5, 2.0, (2, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("function", "grad"),
    [
        pytest.param(quartic, lambda x: 4 * x**3, id="products"),
        pytest.param(normalized, gradient_of_normalized, id="norm"),
    ],
)
def test_a_function_that_writes_into_its_argument(function: Any, grad: Any, dtype: Any) -> None:
    x = points(dtype)
    before = x.copy()
    report = check_gradient(function, x, grad=grad)
    assert report.verdict == "pass", report
    assert report.wrote_into == (FUNCTION,)
    assert np.array_equal(x, before)
    assert check_gradient(function, x, grad=lambda x: grad(x) * x.dtype.type(1.001)).verdict == "fail"


def test_the_complex_step_is_taken_too() -> None:
    x = points()
    report = check_gradient(quartic, x, grad=lambda x: 4 * x**3)
    assert report.method == "complex step"
    silent = check_gradient(lambda x: quartic(x.copy()), x, grad=lambda x: 4 * x**3)
    assert silent.wrote_into == ()
    assert report == replace(silent, wrote_into=(FUNCTION,))


@pytest.mark.parametrize("shape", [(6, 5), (2, 1500)])
def test_a_gradient_that_writes_into_its_argument(shape: tuple[int, int]) -> None:
    def in_place(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The gradient in the memory of x, which it returns."""
        x[:] = gradient(x, labels)
        return x

    x, labels = problem(fresh_rng(), *shape)
    before = x.copy()
    report = check_gradient(cross_entropy, x, labels, grad=in_place)
    assert report.passed, report
    assert report.wrote_into == (GRADIENT,)
    assert np.array_equal(x, before)
    # The same comparisons as for a gradient that leaves its argument alone.
    assert report.comparisons == check_gradient(cross_entropy, x, labels, grad=gradient).comparisons


def test_a_write_into_one_element_of_many_is_seen() -> None:
    """Whichever part of the array it stands in: parts are compared one after the other."""
    x, other = points(), np.zeros(100_000)

    def function(x: np.ndarray, other: np.ndarray) -> Any:
        other[-1] = 1.0
        return cube(x)

    report = check_gradient(function, x, other, grad=lambda x, _: 3 * x**2)
    assert report.wrote_into == ("argument 1 of the function",)
    assert other[-1] == 0.0


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(lambda x: np.repeat(x, 2, axis=1)[:, ::2], id="strided"),
        pytest.param(np.asfortranarray, id="Fortran"),
        pytest.param(lambda x: x[::-1, ::-1], id="reversed"),
        pytest.param(lambda x: np.require(x, requirements=["C"]), id="C"),
    ],
)
def test_the_callers_arrays_stay_as_they_are(layout: Callable[[np.ndarray], np.ndarray]) -> None:
    def function(x: np.ndarray, y: np.ndarray) -> Any:
        y *= x
        x *= y
        return x.sum()

    def grad(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x *= y
        x *= 2
        return x

    x, y = layout(points()), layout(points())
    before = x.copy(), y.copy()
    for array in (x, y):
        array.flags.writeable = False
    report = check_gradient(function, x, y, grad=grad)
    assert report.passed, report
    assert report.wrote_into == (FUNCTION, "argument 1 of the function", GRADIENT)
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


class Tensor:
    """An array of another framework, which NumPy can read."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)
        self.shape = self.values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype)

    def double(self) -> None:
        self.values *= 2


def doubled(part: Any) -> None:
    part *= 2


def doubled_item(part: Any) -> None:
    part[0] = 2 * part[0]


@pytest.mark.parametrize("place", ["argument 1", "factor"])
@pytest.mark.parametrize(
    ("make", "write", "total"),
    [
        pytest.param(lambda: np.array([1.0, 2.0]), doubled, np.sum, id="array"),
        pytest.param(lambda: np.array([1, 2]), doubled, np.sum, id="integers"),
        pytest.param(lambda: np.array(3.0), doubled, np.sum, id="of no dimension"),
        pytest.param(lambda: [1, 2], doubled_item, sum, id="list"),
        pytest.param(
            lambda: (np.array([1]), [2]), lambda t: doubled_item(t[1]), lambda t: t[0][0] + t[1][0], id="tuple"
        ),
        pytest.param(lambda: {"w": np.ones(2)}, lambda d: doubled(d["w"]), lambda d: d["w"].sum(), id="dictionary"),
        pytest.param(lambda: sparse.csr_array([[0.0, 1.5]]), lambda s: doubled(s.data), lambda s: s.sum(), id="sparse"),
        pytest.param(lambda: Tensor([1, 2]), Tensor.double, lambda t: t.values.sum(), id="tensor"),
    ],
)
def test_each_argument_is_a_copy(make: Any, write: Any, total: Any, place: str) -> None:
    x = points()
    other = make()
    value = float(np.sum(total(other)))

    def function(x: np.ndarray, *given: Any, **options: Any) -> Any:
        (part,) = (*given, *options.values())
        before = np.sum(total(part))
        write(part)
        return before * cube(x)

    arrays, options = ((x, other), {}) if place == "argument 1" else ((x,), {"factor": other})
    report = check_gradient(function, *arrays, grad=lambda x, *_, **__: 3 * x**2 * value, **options)
    assert report.passed, report
    assert report.wrote_into == (f"{place} of the function",)
    assert float(np.sum(total(other))) == value


def test_what_only_looks_changed_is_not_reported() -> None:
    """NaN is not equal to itself, and a sparse array notes what it finds out about itself."""
    rows = sparse.csr_array([[0.0, 1.5], [2.0, 0.0]])

    def function(x: np.ndarray, y: np.ndarray, s: Any) -> Any:
        assert s.has_sorted_indices
        return np.nansum(y) * cube(x) * s.sum()

    report = check_gradient(
        function, points(), np.array([np.nan, 1.0]), rows, grad=lambda x, y, s: 3 * x**2 * np.nansum(y) * s.sum()
    )
    assert report.passed, report
    assert report.wrote_into == ()


def test_a_change_of_the_sign_of_0_of_the_shape_or_of_a_part_is_reported() -> None:
    def negates(x: np.ndarray, zero: np.ndarray) -> Any:
        zero *= -1.0
        return cube(x)

    def reshapes(x: np.ndarray, other: np.ndarray) -> Any:
        other.resize(1, 2)
        return cube(x)

    def replaces(x: np.ndarray, rows: Any) -> Any:
        rows[1] = 0
        return cube(x)

    def shortens(x: np.ndarray, rows: Any) -> Any:
        rows.pop()
        return cube(x)

    for function, other in (
        (negates, np.zeros(2)),
        (reshapes, np.ones(2)),
        (replaces, [[1, 2], [3, 4]]),
        (shortens, [[1, 2], [3, 4]]),
    ):
        report = check_gradient(function, points(), other, grad=lambda x, _: 3 * x**2)
        assert report.wrote_into == ("argument 1 of the function",)
        assert report.passed


class Buffers:
    """A loss whose gradient is a view of a buffer that the next call writes over, and its function the same."""

    def __init__(self) -> None:
        self.result = np.empty(())
        self.slope = np.empty((2, 4))

    def __call__(self, x: np.ndarray) -> Any:
        if x.dtype != np.float64:
            return cube(x)
        self.result[...] = cube(x)
        return self.result

    def value_and_grad(self, x: np.ndarray) -> Any:
        self.slope[:, :3] = 3 * x**2
        return self(x), self.slope[:, :3]


def test_buffers_that_are_used_again() -> None:
    report = check_gradient(Buffers(), points())
    assert report.passed, report
    assert report.wrote_into == ()

    def off(x: np.ndarray, loss: Buffers) -> Any:
        return loss.value_and_grad(x)[1] * 1.001

    assert check_gradient(lambda x, loss: loss(x), points(), Buffers(), grad=off).verdict == "fail"


def test_a_function_that_returns_its_argument() -> None:
    x = np.array(0.7)

    def square(x: np.ndarray) -> np.ndarray:
        x[...] = x * x
        return x

    def twice(x: np.ndarray) -> np.ndarray:
        x[...] = 2.0 * x
        return x

    report = check_gradient(square, x, grad=twice)
    assert report.passed, report
    assert report.wrote_into == (FUNCTION, GRADIENT)
    assert check_gradient(lambda x: x, x, grad=np.ones_like).passed
    assert x == 0.7


class Sigmoid:
    """A member that writes into all it is given, and returns the same buffer each time."""

    def __init__(self, *, write: bool = True) -> None:
        self.derivatives = softgrad.sigmoid.derivatives
        self.__signature__ = inspect.signature(softgrad.sigmoid)
        self.write = write
        self.buffers: dict[Any, np.ndarray] = {}

    def _call(self, verb: str, *arrays: Any) -> Any:
        member = getattr(softgrad.sigmoid, verb)
        result = member(*arrays)
        if self.write:
            for array in arrays:
                array *= 0.5
        buffer = self.buffers.setdefault((verb, result.dtype, result.shape), np.empty_like(result))
        buffer[...] = result
        return buffer

    def __call__(self, x: Any) -> Any:
        return self._call("__call__", x)

    def vjp(self, x: Any, cotangent: Any) -> Any:
        return self._call("vjp", x, cotangent)

    def jvp(self, x: Any, tangent: Any) -> Any:
        return self._call("jvp", x, tangent)

    def hvp(self, x: Any, cotangent: Any, vector: Any) -> Any:
        return self._call("hvp", x, cotangent, vector)


def test_every_derivative_may_write_and_reuse() -> None:
    x = points()
    before = x.copy()
    reports = check_derivatives(Sigmoid(), x)
    assert {verb: report.verdict for verb, report in reports.items()} == dict.fromkeys(("vjp", "jvp", "hvp"), "pass")
    assert reports["vjp"].wrote_into == (FUNCTION, "argument 0 of vjp", "argument 1 of vjp")
    assert reports["jvp"].wrote_into == (FUNCTION, "argument 0 of jvp", "argument 1 of jvp")
    assert reports["hvp"].wrote_into == (
        *(GRADIENT, "argument 1 of the gradient"),
        *(f"argument {position} of hvp" for position in range(3)),
    )
    assert np.array_equal(x, before)
    for report in check_derivatives(Sigmoid(write=False), x).values():
        assert report.passed
        assert report.wrote_into == ()


class Quartic:
    """A loss with a diagonal Hessian in a buffer that is used again, and an upstream that is written into."""

    derivatives = ("grad", "value_and_grad", "hessian_diagonal")

    def __init__(self) -> None:
        self.slope = np.empty((2, 3))

    def __call__(self, x: np.ndarray) -> Any:
        return (x**4).sum()

    def grad(self, x: np.ndarray, *, upstream: Any = 1.0) -> np.ndarray:
        self.slope[...] = 4 * x**3 * upstream
        if isinstance(upstream, np.ndarray):
            upstream *= 3.0
        return self.slope

    def value_and_grad(self, x: np.ndarray, *, upstream: Any = 1.0) -> Any:
        return self(x), self.grad(x, upstream=upstream)

    def hessian_diagonal(self, x: np.ndarray) -> np.ndarray:
        x *= x
        x *= 12.0
        return x


def test_the_derivatives_of_a_loss_may_write_and_reuse() -> None:
    reports = check_derivatives(Quartic(), points())
    for verb, report in reports.items():
        assert report.passed, f"{verb}: {report}"
    assert reports["hessian_diagonal"].wrote_into == ("argument 0 of hessian_diagonal",)


def test_weights_of_the_results_are_copies_too() -> None:
    class Rows(Quartic):
        def __call__(self, x: np.ndarray) -> Any:
            return x**4

    report = check_gradient(Rows(), points())
    assert report.passed, report
    assert report.wrote_into == ("upstream of the gradient",)


def test_the_curve_of_errors_is_that_of_the_values() -> None:
    x = points()
    assert step_errors(quartic, x, grad=lambda x: 4 * x**3).reference == (
        step_errors(lambda x: quartic(x.copy()), x, grad=lambda x: 4 * x**3).reference
    )


def test_the_note_stands_in_the_text_and_in_the_table() -> None:
    x = np.array([1.0, 2.0])
    report = assert_gradient(quartic, x, grad=lambda x: 4 * x**3)
    assert str(report).startswith("pass: worst relative error ")
    assert str(report).endswith(f"; wrote into {FUNCTION}")
    with pytest.raises(AssertionError) as caught:
        assert_gradient(quartic, x, grad=lambda x: x.__imul__(7.0))
    assert str(caught.value).splitlines()[-1] == f"wrote into {FUNCTION}, {GRADIENT}"


def test_the_command_shows_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    right = type(softgrad.sigmoid).vjp

    def writes(self: Any, x: Any, cotangent: Any) -> Any:
        result = right(self, x, cotangent)
        cotangent[...] = 0.0
        return result

    monkeypatch.setattr(type(softgrad.sigmoid), "vjp", writes)
    outcome = succeeds("gradcheck", "sigmoid", "--dtype", "float64")
    note = "wrote into argument 1 of vjp"
    assert note in outcome.stdout.splitlines()
    checks = run("gradcheck", "sigmoid", "--dtype", "float64", "--json").json["checks"]
    assert {check["derivative"]: check["wrote_into"] for check in checks} == {
        "vjp": ["argument 1 of vjp"],
        "jvp": [],
        "hvp": ["argument 1 of the gradient"],
    }
