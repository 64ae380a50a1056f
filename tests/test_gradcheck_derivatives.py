"""check_derivatives: every verb of the registry passes, and a wrong one of each kind is caught."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import softgrad as sg
from softgrad.gradcheck import check_derivatives
from tests.oracles.inputs import fresh_rng

MEMBERS = dict(sg.registry())


class Changed:
    """A member of which one derivative has been changed."""

    def __init__(self, member: Any, verb: str, change: Callable[..., Any]) -> None:
        self.member = member
        self.derivatives = (verb,)
        self.__signature__ = inspect.signature(member)
        self.changed = {verb: lambda *arguments, **options: change(getattr(member, verb)(*arguments, **options))}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.member(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return self.changed[name] if name in self.changed else getattr(self.member, name)


def with_arrays(results: Any, change: Callable[[np.ndarray], Any]) -> Any:
    """A change of each array among the results of a derivative."""
    if hasattr(results, "toarray"):
        return change(results.toarray())
    if hasattr(results, "_fields"):
        return type(results)(*(with_arrays(part, change) for part in results))
    if isinstance(results, tuple):
        return tuple(with_arrays(part, change) for part in results)
    return None if results is None else change(np.asarray(results))


CHANGES = {
    "factor": lambda a: a * a.dtype.type(1.001),
    "sign": lambda a: -a,
    "zero": np.zeros_like,
    "dtype": lambda a: a.astype(np.float32 if a.dtype == np.float64 else np.float64),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MEMBERS)
def test_every_derivative_passes(name: str, dtype: Any) -> None:
    member = MEMBERS[name]
    arguments, options = member.sample_arguments(fresh_rng(), np.dtype(dtype))
    reports = check_derivatives(member, *arguments, **options)
    assert {key.split()[0] for key in reports} == set(member.derivatives)
    for key, report in reports.items():
        assert report.passed, f"{key}: {report}"
        assert report.dtype == np.dtype(dtype).name
        assert report.worst_error > 0.0, "a comparison of two results that are not the same to the last bit"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", MEMBERS)
def test_every_derivative_passes_in_two_bytes(name: str, dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    arguments, options = MEMBERS[name].sample_arguments(fresh_rng(), np.dtype(dtype))
    for key, report in check_derivatives(MEMBERS[name], *arguments, **options).items():
        assert report.passed, f"{key}: {report}"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("softmax", "vjp"),
        ("softmax", "jvp"),
        ("softmax", "hvp"),
        ("softmax", "jacobian"),
        ("token_logprobs", "vjp"),
        ("token_logprobs", "jvp"),
        ("token_logprobs", "jacobian"),
        ("cross_entropy", "grad"),
        ("cross_entropy", "value_and_grad"),
        ("cross_entropy", "jvp"),
        ("cross_entropy", "hvp"),
        ("cross_entropy", "hessian"),
        ("cross_entropy", "hessian_diagonal"),
    ],
)
def test_a_wrong_derivative_fails(name: str, verb: str, change: str) -> None:
    arguments, options = small(name, fresh_rng())
    wrong = Changed(MEMBERS[name], verb, lambda results: with_arrays(results, CHANGES[change]))
    (report,) = check_derivatives(wrong, *arguments, **options).values()
    assert report.verdict == "fail", report
    assert report.reason.startswith("wrong dtype") == (change == "dtype")


@pytest.mark.parametrize(
    ("name", "verb", "change"),
    [
        pytest.param("log_softmax", "jacobian", lambda j: j.swapaxes(-1, -2), id="transposed Jacobian"),
        pytest.param("softmax", "jacobian", lambda j: j * np.eye(j.shape[-1]), id="Jacobian without off-diagonal"),
        pytest.param("cross_entropy", "hessian", lambda h: h.toarray() * np.eye(h.shape[-1]), id="diagonal Hessian"),
        pytest.param("cross_entropy", "hessian", lambda h: h.toarray()[::-1], id="Hessian of another row"),
        pytest.param("cross_entropy", "hessian_diagonal", lambda d: d[:, ::-1], id="diagonal reversed"),
    ],
)
def test_a_matrix_with_wrong_entries_fails(name: str, verb: str, change: Callable[[Any], Any]) -> None:
    arguments, options = small(name, fresh_rng())
    (report,) = check_derivatives(Changed(MEMBERS[name], verb, change), *arguments, **options).values()
    assert report.verdict == "fail", report


def small(name: str, rng: np.random.Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a function of logits."""
    logits, labels = rng.standard_normal((2, 3)), rng.integers(0, 3, 2)
    return ((logits,) if name in ("softmax", "log_softmax") else (logits, labels)), {}


@pytest.mark.parametrize("field", ["hidden", "weight", "bias"])
@pytest.mark.parametrize("verb", ["grad", "value_and_grad", "hvp"])
def test_each_argument_has_its_own_check(verb: str, field: str) -> None:
    member = sg.linear_cross_entropy
    rng = fresh_rng()
    arrays = rng.standard_normal((3, 2)), rng.standard_normal((4, 2)), rng.integers(0, 4, 3), rng.standard_normal(4)

    def double(results: Any) -> Any:
        gradients = results[1] if verb == "value_and_grad" else results
        gradients = gradients._replace(**{field: 2.0 * getattr(gradients, field)})
        return (results[0], gradients) if verb == "value_and_grad" else gradients

    reports = check_derivatives(Changed(member, verb, double), *arrays)
    verdicts = {key: report.verdict for key, report in reports.items()}
    assert verdicts == {f"{verb} {name}": "fail" if name == field else "pass" for name in ("hidden", "weight", "bias")}


@pytest.mark.parametrize("axis", [-1, 1, None])
def test_blocks_along_the_last_axis_or_all(axis: Any) -> None:
    x = fresh_rng().standard_normal((2, 3))
    for report in check_derivatives(sg.softmax, x, axis=axis).values():
        assert report.passed, report


def test_blocks_along_another_axis_are_refused() -> None:
    with pytest.raises(ValueError, match="axis is 0; a jacobian is checked along the last axis"):
        check_derivatives(sg.softmax, np.zeros((2, 2)), axis=0)


def test_options_reach_every_derivative() -> None:
    x, labels = np.array([[1.0, -2.0, 0.5]]), np.array([1])
    for report in check_derivatives(
        sg.cross_entropy, x, labels, temperature=2.0, z_loss=0.1, label_smoothing=0.2
    ).values():
        assert report.passed, report


def test_a_derivative_without_a_check_is_refused() -> None:
    class Novel:
        derivatives = ("curl",)

    with pytest.raises(ValueError, match="has the derivative 'curl'; there are checks of vjp, jvp, hvp"):
        check_derivatives(Novel(), 1.0)


def test_results_without_a_derivative_are_refused() -> None:
    class Ranks:
        derivatives = ("vjp",)

        def __call__(self, x: Any) -> Any:
            return np.argsort(x)

        def vjp(self, x: Any, cotangent: Any) -> Any:
            return x * cotangent

    with pytest.raises(ValueError, match=r"the function returned array\(\[0, 1\]\): there is nothing to differentiate"):
        check_derivatives(Ranks(), np.array([1.0, 2.0]))
