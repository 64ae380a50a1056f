"""Every member of the registry: against its definition by name, its derivatives too, and its documentation."""

from __future__ import annotations

import copy
import doctest
import importlib
import inspect
import pickle
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import softgrad as sg
from softgrad import losses, reference
from softgrad._differentiable import Differentiable
from tests.oracles.bounds import DTYPES, FLOAT64
from tests.oracles.inputs import fresh_rng

MEMBERS = dict(sg.registry())
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
members = pytest.mark.parametrize("name", MEMBERS)
DERIVATIVES = [(name, verb) for name, member in MEMBERS.items() for verb in member.derivatives]
derivatives = pytest.mark.parametrize(("name", "verb"), DERIVATIVES)
CALLS = [*DERIVATIVES, *((name, "__call__") for name in losses.__all__ if name in MEMBERS)]


def tolerance(dtype):
    """Relative to the largest value. The sample arguments are of the order of 10, and so is |x - m|, by which the
    reference's own rounding grows; products over a few features and classes add their part.
    """
    return 128 * np.finfo(dtype).eps


def assert_close(actual, expected, dtype, terms=0.0):
    """`terms`: the size of what a sum is made of, where it may cancel."""
    if isinstance(expected, tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other, dtype, terms)
        return
    if expected is None:
        assert actual is None
        return
    expected = np.asarray(expected)
    assert np.shape(actual) == expected.shape
    if expected.dtype.kind == "i":
        np.testing.assert_array_equal(actual, expected)
        return
    assert np.asarray(actual).dtype == dtype
    scale = max(np.max(np.abs(expected)), terms)
    assert np.any(expected != 0.0)
    assert np.max(np.abs(actual - expected)) <= tolerance(dtype) * scale


def test_what_must_be_there():
    assert {"softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid"} <= set(MEMBERS)
    assert {"cross_entropy", "quadratic", "linear_cross_entropy"} <= set(MEMBERS)


@members
def test_the_public_name_is_the_member(name):
    assert getattr(sg, name) is MEMBERS[name]
    assert name in sg.__all__
    assert isinstance(MEMBERS[name], Differentiable)
    assert MEMBERS[name].name == name
    assert MEMBERS[name].derivatives


@members
def test_the_registry_is_read_only(name):
    with pytest.raises(TypeError):
        sg.registry()[name] = MEMBERS[name]


@members
def test_a_member_is_pickled_and_copied_as_itself(name):
    member = MEMBERS[name]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(member, protocol)) is member
    assert copy.copy(member) is copy.deepcopy(member) is member


@members
@dtypes
def test_sample_arguments_are_fresh_and_of_the_dtype(dtype, name):
    first = MEMBERS[name].sample_arguments(np.random.default_rng(1), dtype)
    same = MEMBERS[name].sample_arguments(np.random.default_rng(1), dtype)
    other = MEMBERS[name].sample_arguments(np.random.default_rng(2), dtype)
    assert first[0][0].dtype == dtype
    assert np.ptp(first[0][0]) > 0.0
    np.testing.assert_array_equal(first[0][0], same[0][0])
    assert np.any(first[0][0] != other[0][0])


@members
@dtypes
def test_value_against_the_reference(dtype, name):
    arguments, options = MEMBERS[name].sample_arguments(fresh_rng(), dtype)
    assert_close(MEMBERS[name](*arguments, **options), getattr(reference, name)(*arguments, **options), dtype)


def reference_of(name, verb, arguments, vector, options):
    if verb == "value_and_grad":
        value = getattr(reference, name)(*arguments, **options)
        return value, getattr(reference, f"{name}_grad")(*arguments, **options)
    return getattr(reference, f"{name}_{verb}")(*arguments, *vector, **options)


def random_vectors(rng, member, verb, arguments, options, dtype):
    """What a verb is multiplied by: a vector of the shape of the argument, a cotangent of that of the result."""
    if verb in ("jvp", "hvp") and member.name == "linear_cross_entropy":
        return (tuple(rng.standard_normal(arguments[i].shape).astype(dtype) for i in (0, 1, 3)),)
    vector = rng.standard_normal(np.shape(arguments[0])).astype(dtype)
    if verb in ("vjp", "hvp") and not hasattr(member, "value_and_grad"):
        result = member(*arguments, **options)
        # The rank of a token has no derivative.
        parts = [result] if not isinstance(result, tuple) else [result.logprob, result.entropy]
        drawn = [rng.standard_normal(np.shape(part)).astype(dtype) for part in parts]
        cotangent = drawn[0] if not isinstance(result, tuple) else tuple(drawn)
        return (cotangent,) if verb == "vjp" else (cotangent, vector)
    return (vector,) if verb in ("jvp", "hvp") else ()


@derivatives
@dtypes
def test_derivative_against_the_reference(dtype, name, verb):
    rng = fresh_rng()
    member = MEMBERS[name]
    arguments, options = member.sample_arguments(rng, dtype)
    vector = random_vectors(rng, member, verb, arguments, options, dtype)
    actual = getattr(member, verb)(*arguments, *vector, **options)
    if isinstance(actual, sg.DiagonalPlusRankOne):
        actual = actual.toarray()
    terms = 0.0
    if verb == "jvp" and hasattr(member, "grad"):
        gradient = getattr(reference, f"{name}_grad")(*arguments, **options)
        parts = zip(gradient, vector[0], strict=True) if isinstance(gradient, tuple) else [(gradient, vector[0])]
        terms = sum(np.sum(np.abs(slope * along)) for slope, along in parts)
    assert_close(actual, reference_of(name, verb, arguments, vector, options), dtype, terms)


@pytest.mark.parametrize(("name", "verb"), CALLS)
def test_arguments_that_do_not_fit_are_refused_by_the_name_that_was_called(name, verb):
    """Not by that of the family or of the function where the options end."""
    rng = fresh_rng()
    member = MEMBERS[name]
    arguments, options = member.sample_arguments(rng, FLOAT64)
    vector = random_vectors(rng, member, verb, arguments, options, FLOAT64)
    called = name if verb == "__call__" else f"{name}.{verb}"
    with pytest.raises(TypeError) as unknown:
        getattr(member, verb)(*arguments, *vector, **options, wrong=1)
    assert str(unknown.value) == f"{called}() got an unexpected keyword argument 'wrong'"
    assert unknown.value.__suppress_context__
    first = next(iter(inspect.signature(getattr(member, verb)).parameters))
    with pytest.raises(TypeError, match=rf"^{re.escape(called)}\(\) missing a required .*argument: '{first}'"):
        getattr(member, verb)(**options)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid"])
def test_a_call_without_a_wrapper_is_refused_by_its_name_too(name):
    for arguments, options in [((), {}), (([1.0], 2), {}), (([1.0],), {"wrong": 1})]:
        with pytest.raises(TypeError, match=rf"^{name}\(\) (missing|takes|got an unexpected) "):
            MEMBERS[name](*arguments, **options)


@members
def test_the_checker_passes_every_derivative(name):
    arguments, options = MEMBERS[name].sample_arguments(fresh_rng(), FLOAT64)
    reports = sg.check_derivatives(MEMBERS[name], *arguments, **options)
    assert {label.split()[0] for label in reports} == set(MEMBERS[name].derivatives)
    for label, report in reports.items():
        assert report.passed, f"{label}: {report}"


def sections(docstring):
    return re.findall(r"^ *([A-Z][a-z]+)\n *-{4,}$", inspect.cleandoc(docstring), flags=re.MULTILINE)


@members
def test_docstring_of_the_member(name):
    docstring = type(MEMBERS[name]).__doc__
    assert {"Parameters", "Returns", "Raises", "Examples"} <= set(sections(docstring))
    assert ">>> " in docstring
    parameters = inspect.signature(MEMBERS[name]).parameters
    for parameter in parameters:
        assert re.search(rf"\b{parameter}\b", docstring), parameter


@derivatives
def test_docstring_of_the_derivative(name, verb):
    method = getattr(MEMBERS[name], verb)
    assert {"Parameters", "Returns", "Examples"} <= set(sections(method.__doc__))
    assert ">>> " in method.__doc__


@pytest.mark.parametrize("name", sg.__all__)
def test_every_public_name_has_a_docstring(name):
    assert getattr(sg, name).__doc__


@members
def test_the_representation_is_the_public_name(name):
    assert repr(MEMBERS[name]) == f"<softgrad.{name}>"


def modules_with_examples():
    """All of softgrad but the compiled core, which has none, and the command, which runs when it is imported."""
    # The path of an editable installation has the folder above examples/ too.
    roots = [root for root in sg.__path__ if Path(root).name == "softgrad"]
    names = [module.name for module in pkgutil.walk_packages(roots, "softgrad.")]
    return ["softgrad", *(name for name in names if name.split(".")[-1] not in ("_core", "__main__"))]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(verbose=False)
    found = [test for test in finder.find(module) if test.examples]
    # An instance is no place where doctest looks: its documentation is on its class, which is.
    for test in found:
        report = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)


def test_examples_are_found():
    """The check above would pass on a finder that finds nothing."""
    finder = doctest.DocTestFinder()
    for name, member in MEMBERS.items():
        module = importlib.import_module(type(member).__module__)
        named = {test.name for test in finder.find(module) if test.examples}
        wanted = {type(member).__name__, *(f"{type(member).__name__}.{verb}" for verb in member.derivatives)}
        assert wanted <= {each.removeprefix(f"{module.__name__}.") for each in named}, name
