"""Whether a function gives what torch's gives for a sample: values, dtypes, shapes and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.torch.derived import direction
from tests.torch.outside.differences import OtherResult, Refusal, differences_of
from tests.torch.outside.samples import SUBJECTS, Function, Sample

# Of the roundings of a row and of the sum of some hundred rows, in eps of the largest value.
UNITS = 64.0


def _require_like(actual: Tensor, wanted: Tensor) -> None:
    # No assert: pytest would write out the tensors where a difference is expected, which takes longer than the rest.
    found, right = ((each.dtype, tuple(each.shape)) for each in (actual, wanted))
    if found != right:
        raise AssertionError(f"{found} instead of {right}")


def _assert_near(actual: Tensor, expected: Tensor, largest: float) -> None:
    scale = max(largest, float(expected.detach().abs().nan_to_num(0.0).max()) if expected.numel() else 0.0)
    torch.testing.assert_close(
        actual.detach().to(torch.float64),
        expected.detach(),
        rtol=0.0,
        atol=UNITS * torch.finfo(actual.dtype).eps * scale,
        equal_nan=True,
    )


def assert_agrees(sample: Sample, ours: Function, theirs: Function) -> None:
    """With torch's values in float64, and its dtypes and shapes in that of the sample."""
    exact = sample.to(torch.float64)
    (of_ours, leaves), (of_theirs, exact_leaves) = sample.by_leaves(ours), exact.by_leaves(theirs)
    actual, expected = of_ours(*leaves), of_theirs(*exact_leaves)
    wanted = sample.call(theirs)
    _require_like(actual, wanted)
    first = leaves[0].detach()
    largest = max(1.0, float(first.abs().nan_to_num(0.0).max())) if first.numel() else 1.0
    _assert_near(actual, expected, largest)
    above = direction(actual.detach(), 1)
    gradients = torch.autograd.grad(actual, leaves, above)
    wanted_gradients = torch.autograd.grad(expected, exact_leaves, above.to(torch.float64))
    for leaf, one, other in zip(leaves, gradients, wanted_gradients, strict=True):
        _require_like(one, leaf)
        _assert_near(one, other, largest)


def _theirs(sample: Sample, results: list[OtherResult]) -> Function:
    function = SUBJECTS[sample.subject].theirs
    for each in results:
        function = each.instead(function)
    return function


def as_listed(sample: Sample) -> tuple[Sample, Function] | None:
    """The sample without what is refused of it, and torch's function with the other results; None if none is left."""
    differences = differences_of(sample)
    for each in differences:
        if isinstance(each, Refusal):
            if each.without is None:
                return None
            sample = each.without(sample)
    return sample, _theirs(sample, [each for each in differences if isinstance(each, OtherResult)])


def assert_differs_as_listed(sample: Sample) -> None:
    """It is torch's but for the differences that are listed for it, of which none may be left out."""
    ours = SUBJECTS[sample.subject].ours
    differences = differences_of(sample)
    for each in differences:
        if isinstance(each, Refusal):
            with pytest.raises(each.error, match=each.message):
                sample.call(ours)
    rest = as_listed(sample)
    if rest is None:
        return
    taken, theirs = rest
    assert_agrees(taken, ours, theirs)
    results = [each for each in differences if isinstance(each, OtherResult)]
    for each in results:
        others = [other for other in results if other is not each]
        with pytest.raises(AssertionError):
            assert_agrees(taken, ours, _theirs(taken, others))
