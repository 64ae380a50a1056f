"""Every derivative of a function that is one object with them, each reduced to the check of a gradient."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from softgrad.gradcheck._arrays import Array
from softgrad.gradcheck._check import check_gradient
from softgrad.gradcheck._guarded import Guarded, wrote_into
from softgrad.gradcheck._report import GradientReport
from softgrad.gradcheck._subject import Cotangent, floating_parts, gradient_of


def check_derivatives(member: Any, /, *arrays: Any, **options: Any) -> dict[str, GradientReport]:
    """Check every derivative that a member of the registry has, in the dtype of its arguments.

    Parameters
    ----------
    member : member of the registry
        Any object with the verbs of one and their names in ``derivatives``.
    *arrays : array_like
        Its arguments; small ones, since each component is checked several times over.
    **options
        Passed to the function and to each derivative. `jacobian` and `hessian` are checked along the last axis.

    Returns
    -------
    dict of str to GradientReport
        By the verb; by the verb and the argument ("grad weight") where the gradient is a tuple.

    Raises
    ------
    ValueError
        If a derivative is named that has no check, or `axis` is not the last one where there is a `jacobian` or a
        `hessian`.
    TypeError, ValueError
        As in `check_gradient`.

    Notes
    -----
    With random weights c for the results and v for the gradient, everything is the gradient of a scalar: `vjp` and
    `grad` of <c, f(x)>; so are the tangents of the unit vectors by `jvp`, weighted with c, and the Jacobian times c.
    `hvp` and the Hessian times v are the gradient of <v, grad(x)>, the Hessian being symmetric, and `hessian_diagonal`
    that of the sum of its components, each at a point that differs from x in that component alone.

    Examples
    --------
    >>> import softgrad as sg
    >>> reports = sg.check_derivatives(sg.softmax, [2.0, 3.0, 4.0])
    >>> {verb: report.verdict for verb, report in reports.items()}
    {'vjp': 'pass', 'jvp': 'pass', 'hvp': 'pass', 'jacobian': 'pass'}
    """
    unknown = [verb for verb in member.derivatives if verb not in CLAIMS]
    if unknown:
        raise ValueError(f"{member!r} has the derivative {unknown[0]!r}; there are checks of {', '.join(CLAIMS)}")
    task = _Task(member, arrays, options)
    functions: dict[Any, Callable[..., Any]] = {}
    reports = {}
    for verb in member.derivatives:
        function, claimed = CLAIMS[verb]
        for argument in task.arguments:
            if (function, argument) not in functions:
                functions[function, argument] = _remembering(partial(function, task, argument), argument.position)
            report = check_gradient(
                functions[function, argument],
                *arrays,
                grad=partial(claimed, task, argument),
                wrt=argument.position,
            )
            # What check_gradient was given writes into nothing: the task gives copies to the member itself.
            key = verb if argument.name is None else f"{verb} {argument.name}"
            reports[key] = replace(report, wrote_into=wrote_into([task.differenced(function), task.verbs[verb]]))
    return reports


def _remembering(function: Callable[..., Any], position: int) -> Callable[..., Any]:
    """The function, evaluated once per point: several derivatives are differences of the same one."""
    values: dict[tuple[Any, bytes], Any] = {}

    def remembered(*arrays: Any) -> Any:
        point = arrays[position]
        key = point.dtype, point.tobytes()
        if key not in values:
            values[key] = function(*arrays)
        return values[key]

    return remembered


@dataclass(frozen=True)
class _Argument:
    """An argument that is differentiated; its name is None where the gradient is no tuple."""

    position: int
    name: str | None

    def of(self, gradients: Any) -> Any:
        """The gradient by this argument."""
        return gradients if self.name is None else getattr(gradients, self.name)


class _Task:
    """A member with its arguments, and the random weights that make scalars of its results."""

    def __init__(self, member: Any, arrays: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.arrays = arrays
        self.options = options
        self.has_vjp = hasattr(member, "vjp")
        self.function = Guarded(member, "the function")
        self.own_gradient = Guarded(member.vjp if self.has_vjp else gradient_of(member), "the gradient")
        self.verbs = {verb: Guarded(getattr(member, verb), verb) for verb in member.derivatives}
        self.results = Cotangent(self.function(*arrays, **options))
        gradients = self.gradient(*arrays)
        # Other weights than those of the results, or a derivative that takes one for the other would pass.
        self.gradients = Cotangent(gradients, seed=1)
        self.fields: tuple[str, ...] = getattr(gradients, "_fields", ())
        names = list(inspect.signature(member).parameters)
        given = [name for name in self.fields if getattr(gradients, name) is not None]
        self.arguments = [_Argument(names.index(name), name) for name in given] or [_Argument(0, None)]
        # By argument, the gradient in float64 with nothing moved.
        self.unmoved: dict[_Argument, Any] = {}

    def verb(self, name: str, *arguments: Any, **upstream: Any) -> Any:
        return self.verbs[name](*arguments, **upstream, **self.options)

    def gradient(self, *arrays: Any) -> Any:
        """The gradient of a loss, or of the weighted results of an array function."""
        return self.own_gradient(*arrays, *self.cotangent(), **self.options)

    def cotangent(self) -> tuple[Any, ...]:
        """What the gradient of an array function takes beside its arguments."""
        return (self.results.given,) if self.has_vjp else ()

    def differenced(self, function: Callable[..., Any]) -> Guarded:
        """What of the member a scalar function of `CLAIMS` calls."""
        return self.function if function is _weighted_results else self.own_gradient


def _weighted_results(task: _Task, _: _Argument, *arrays: Any) -> Any:
    return task.results.of(task.function(*arrays, **task.options))


def _weighted_gradient(task: _Task, _: _Argument, *arrays: Any) -> Any:
    return task.gradients.of(task.gradient(*arrays))


def _changes_of_own_components(task: _Task, argument: _Argument, *arrays: Any) -> Any:
    """How each component of the gradient changes where its own component of the argument has moved alone."""
    before, after = arrays[: argument.position], arrays[argument.position + 1 :]
    moved = arrays[argument.position]
    start = np.asarray(task.arrays[argument.position]).astype(moved.dtype)
    if argument not in task.unmoved:
        # A copy, for the gradient may be the same buffer at the next call.
        task.unmoved[argument] = np.array(argument.of(task.gradient(*before, start, *after)))
    still = task.unmoved[argument]
    # By the size of the result the differences judge its rounding, which is that of the gradient.
    total = np.abs(still).sum()
    for index in zip(*np.nonzero(moved != start), strict=True):
        point = start.copy()
        point[index] = moved[index]
        total = total + argument.of(task.gradient(*before, point, *after))[index] - still[index]
    return total


def _vjp(task: _Task, argument: _Argument, *arrays: Any) -> Any:
    return argument.of(task.verb("vjp", *arrays, task.results.given))


def _grad(task: _Task, argument: _Argument, *arrays: Any) -> Any:
    return argument.of(task.verb("grad", *arrays, upstream=task.results.given))


def _value_and_grad(task: _Task, argument: _Argument, *arrays: Any) -> Any:
    return argument.of(task.verb("value_and_grad", *arrays, upstream=task.results.given)[1])


def _hvp(task: _Task, argument: _Argument, *arrays: Any) -> Any:
    return argument.of(task.verb("hvp", *arrays, *task.cotangent(), task.gradients.given))


def _jvp(task: _Task, argument: _Argument, *arrays: Any) -> Any:
    x = arrays[argument.position]
    values = []
    for unit in np.eye(x.size).astype(x.dtype).reshape(x.size, *x.shape):
        # None stands for zeros.
        tangents = tuple(unit if name == argument.name else None for name in task.fields)
        change = task.verb("jvp", *arrays, tangents if argument.name is not None else unit)
        # At once, for the change may be the same buffer at the next call.
        values.append(task.results.of(change))
    # A tangent has the dtype of the result, which is not that of x for the loss of two-byte numbers.
    dtype = floating_parts(change)[0].dtype
    return np.reshape(values, x.shape).astype(x.dtype if dtype == task.results.weights[0].dtype else dtype)


def _jacobian(task: _Task, _: _Argument, *arrays: Any) -> Any:
    """The weights times the Jacobian: *batch, *(classes of the result), *(classes of x)."""
    x = arrays[0]
    _last_axis("jacobian", task.options, x)
    total: Any = 0.0
    for weights, matrix in zip(task.results.weights, floating_parts(task.verb("jacobian", *arrays)), strict=True):
        batch = weights.ndim + x.ndim - matrix.ndim
        aligned = weights.astype(np.float64).reshape(weights.shape + (1,) * (x.ndim - batch))
        total = total + (aligned * matrix).sum(axis=tuple(range(batch, weights.ndim)), dtype=np.float64)
        dtype = matrix.dtype
    return total.astype(dtype)


def _hessian(task: _Task, _: _Argument, *arrays: Any) -> Any:
    """The Hessian of each row, *batch, K, K, times the weights."""
    _last_axis("hessian", task.options, arrays[0])
    hessian = task.verb("hessian", *arrays)
    diagonal_blocks = hessian.toarray() if hasattr(hessian, "toarray") else hessian
    rows = task.gradients.weights[0].astype(np.float64).reshape(diagonal_blocks.shape[:-1])
    products = (diagonal_blocks.astype(np.float64) @ rows[..., None])[..., 0]
    return products.reshape(arrays[0].shape).astype(diagonal_blocks.dtype)


def _hessian_diagonal(task: _Task, _: _Argument, *arrays: Any) -> Any:
    return task.verb("hessian_diagonal", *arrays)


def _last_axis(verb: str, options: dict[str, Any], x: Array) -> None:
    axis = options.get("axis", -1)
    if axis not in (-1, x.ndim - 1, None):
        raise ValueError(f"axis is {axis}; a {verb} is checked along the last axis, or along all of them (None)")


# Per verb: the scalar function, and what the verb says of its gradient by an argument.
CLAIMS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "vjp": (_weighted_results, _vjp),
    "jvp": (_weighted_results, _jvp),
    "hvp": (_weighted_gradient, _hvp),
    "jacobian": (_weighted_results, _jacobian),
    "grad": (_weighted_results, _grad),
    "value_and_grad": (_weighted_results, _value_and_grad),
    "hessian": (_weighted_gradient, _hessian),
    "hessian_diagonal": (_changes_of_own_components, _hessian_diagonal),
}
