"""`check_gradient` and `assert_gradient`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from softgrad.gradcheck._probe import comparisons_of
from softgrad.gradcheck._report import GradientReport, report_of
from softgrad.gradcheck._subject import subject_of


def check_gradient(
    function: Any, /, *arrays: Any, grad: Callable[..., Any] | None = None, wrt: int = 0, **options: Any
) -> GradientReport:
    """Compare a gradient with differences of its function.

    The gradient is evaluated in the dtype of the argument, the function in float64, so that an implementation in
    float32, float16 or bfloat16 is held to its own precision. Up to 1000 components, each is compared by itself; beyond
    that the derivatives along 12 random mean-free sign vectors and along the vector of ones are compared, and a
    direction that disagrees is halved until the wrong component is found. The same arguments always give the same
    report.

    Parameters
    ----------
    function : member of the registry, or callable
        A loss or an array function of softgrad, or any object with a ``value_and_grad``, ``grad`` or ``vjp`` like
        theirs; or any callable that returns one value, with `grad`. Results that are not one value are weighted with
        random numbers, which `vjp` takes as its cotangent and `grad` as its ``upstream``.
    *arrays : array_like
        The arguments of `function`. For the differences, floating ones are converted to float64, others (labels, None)
        are passed as they are. The argument that is checked must not be empty; integers are taken as float64.
    grad : callable, optional
        Called with the same arguments and options; returns the gradient with respect to argument `wrt`, or a
        named tuple of gradients whose fields are named as the arguments of `function`. Left out, the
        function's own gradient is checked.
    wrt : int, default 0
        The position of the argument that is differentiated.
    **options
        Passed to `function` and to its gradient.

    Returns
    -------
    GradientReport
        The verdict is "fail" for a component that is wrong beyond doubt, NaN or inf, and for a gradient of another
        dtype than its argument; "inconclusive" where the function has a kink, cusp or jump near x, is not finite, or
        is too noisy. At a kink any slope between the one-sided ones is right.

    Raises
    ------
    TypeError
        If there is no gradient to check, or an argument or a result cannot be read as real numbers (a torch tensor that
        requires grad, for one: detach it).
    ValueError
        If `wrt` names no argument with a gradient, the argument is empty, the function returns more than one value or
        the gradient has another shape than the argument.

    See Also
    --------
    assert_gradient : raises instead of reporting.
    check_derivatives : every derivative of a member of the registry.

    Notes
    -----
    The differences are central, Richardson-extrapolated over a ladder of halved steps, and the entry of the tableau
    that agrees best with its neighbours is taken [1]_; for a smooth function they are good to about 1e-11 of the
    gradient's scale. A function of NumPy arrays that takes complex numbers is differentiated by a complex step instead
    [2]_, good to the last bits, if real differences confirm it along every component; the report says which it was.

    The tolerance is 1e-7, or 8 eps of the argument's dtype where that is more, relative to each component. A component
    within it passes; so does one that is off by at most 100 times the estimated error of its difference, 4 times what
    roundings in the gradient are seen to do where x moves by its last bits, and 2 eps of the largest component. For a
    "pass", that error is within the tolerance at the scale of the largest component, and the roundings within 64 eps.

    The function and its gradient are given copies of arrays, and of lists, tuples and dictionaries of them, at every
    call: they may write into their arguments, and return the same buffer each time. The report says that they wrote.

    Functions of other frameworks are given NumPy arrays, and return what NumPy can read. For torch, convert:
    ``lambda x: F.cross_entropy(torch.from_numpy(x), labels)``, and the same around `grad`. JAX converts by itself, but
    computes in float32 unless ``jax_enable_x64`` is set; the verdict then is "inconclusive", or "fail" for the dtype of
    its gradient by float64 arrays.

    References
    ----------
    .. [1] C. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4 (1982).
    .. [2] W. Squire and G. Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40
       (1998).

    Examples
    --------
    >>> import numpy as np, softgrad as sg
    >>> x = np.array([0.5, -1.0, 2.0])
    >>> sg.check_gradient(lambda x: np.sum(x**3), x, grad=lambda x: 3 * x**2).passed
    True
    >>> report = sg.check_gradient(lambda x: np.sum(x**3), x, grad=lambda x: 3 * x * abs(x))
    >>> report.verdict, report.worst_index, report.analytic, report.method
    ('fail', (1,), -3.0, 'complex step')
    >>> sg.check_gradient(sg.softmax, x.astype(np.float32)).verdict
    'pass'
    >>> sg.check_gradient(lambda x: np.sum(np.abs(x)), [1.0, 0.0], grad=np.sign).reason
    'the function has a kink near x at index [1], its slope goes from -1 to 1'
    """
    subject = subject_of(function, arrays, grad, wrt, options)
    comparisons, method = comparisons_of(subject)
    return report_of(comparisons, method, subject.x.dtype, subject.wrong_dtype(), subject.wrote_into())


def assert_gradient(
    function: Any, /, *arrays: Any, grad: Callable[..., Any] | None = None, wrt: int = 0, **options: Any
) -> GradientReport:
    """Raise unless `check_gradient` passes.

    Parameters
    ----------
    function, arrays, grad, wrt, options
        As in `check_gradient`.

    Returns
    -------
    GradientReport
        One that passed.

    Raises
    ------
    AssertionError
        If the verdict is "fail" or "inconclusive"; the message has the reason and a table of the worst components.
    TypeError, ValueError
        As in `check_gradient`.

    Examples
    --------
    >>> import numpy as np, softgrad as sg
    >>> sg.assert_gradient(np.sin, 0.3, grad=np.cos).verdict
    'pass'
    >>> sg.assert_gradient(np.sin, 0.3, grad=np.sin)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: fail: the gradient is wrong at index [] (complex step, float64)
    index     analytic      numeric  relative error  estimated error
       []  0.295520207  0.955336489         6.9e-01          ...
    """
    report = check_gradient(function, *arrays, grad=grad, wrt=wrt, **options)
    if not report.passed:
        raise AssertionError(report.table())
    return report
