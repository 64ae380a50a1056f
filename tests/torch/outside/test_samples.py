"""softgrad.torch on the samples of PyTorch's own suites: it differs where `differences` says so, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from tests.torch.outside.agreement import UNITS, as_listed, assert_agrees, assert_differs_as_listed
from tests.torch.outside.differences import DIFFERENCES, differences_of
from tests.torch.outside.samples import OPERATORS, SUBJECTS, Function, Sample, dtypes_of, samples_of

pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both the batch size")

subjects = pytest.mark.parametrize("subject", SUBJECTS)
# Torch makes the samples of the first of the logarithms of negative numbers. To construct the other draws parameters,
# which is no part of a function that is derived or compiled.
TRANSFORMED = [each for each in SUBJECTS if each not in ("nn.KLDivLoss", "nn.LinearCrossEntropyLoss")]
transformed = pytest.mark.parametrize("subject", TRANSFORMED)


def is_soft(sample: Sample) -> bool:
    return any(isinstance(each, Tensor) and each.is_floating_point() for each in sample.arguments[1:2])


def of_kinds(samples: Sequence[Sample]) -> list[Sample]:
    """The smallest of each kind that has rows: of the same options, with the same kind of target."""
    kinds: dict[Any, Sample] = {}
    for sample in sorted(samples, key=lambda each: (each.arguments[0].dim() < 2, each.arguments[0].numel())):
        kinds.setdefault((frozenset(sample.options), is_soft(sample)), sample)
    return list(kinds.values())


def distinct(samples: Sequence[Sample]) -> list[Sample]:
    """All that differ by more than numbers."""
    return list({(str(replace(each, number=0)), is_soft(each)): each for each in samples}.values())


Choice = Callable[[Sequence[Sample]], list[Sample]]
some_or_all = pytest.mark.parametrize(
    "chosen", [of_kinds, pytest.param(distinct, marks=pytest.mark.slow)], ids=["some", "all"]
)


def taken_samples(
    subject: str, dtype: torch.dtype = torch.float64, chosen: Choice = list
) -> Iterator[tuple[Sample, Function]]:
    """What is taken of the samples, and torch's function with the differences that are listed."""
    theirs = {}
    for sample in samples_of(subject, dtype):
        rest = as_listed(sample)
        if rest is not None:
            theirs[rest[0].number] = rest
    assert theirs
    for sample in chosen([sample for sample, _ in theirs.values()]):
        print(sample)
        yield theirs[sample.number]


@subjects
def test_what_differs_is_what_is_listed(subject: str) -> None:
    for dtype in dtypes_of(subject):
        for sample in samples_of(subject, dtype):
            print(sample)
            assert_differs_as_listed(sample)


def test_every_difference_that_is_listed_occurs() -> None:
    samples = [each for name in SUBJECTS for dtype in dtypes_of(name) for each in samples_of(name, dtype)]
    met = {difference.reason for sample in samples for difference in differences_of(sample)}
    assert met == {each.reason for each in DIFFERENCES}


def inside(tensor: Tensor) -> Tensor:
    """Probabilities that may change a little and are probabilities still."""
    return 0.01 + 0.98 * tensor


def functions(subject: str, chosen: Choice = list) -> Iterator[tuple[Function, tuple[Tensor, ...]]]:
    """What is taken of the samples, as functions of tensors that may change a little."""
    for sample, _ in taken_samples(subject, chosen=chosen):
        function, (x, *others) = sample.by_leaves(SUBJECTS[subject].ours)
        yield function, (x, *(inside(each.detach()).requires_grad_() for each in others))


def is_large(leaves: Sequence[Tensor]) -> bool:
    """Whether differences are taken along one direction alone, as torch's own runs do, not by every element."""
    return sum(each.numel() for each in leaves) > 40


@some_or_all
@transformed
def test_gradients(subject: str, chosen: Choice) -> None:
    """By differences: reverse mode and forward mode, and both in batches."""
    for function, leaves in functions(subject, chosen):
        assert gradcheck(
            function,
            leaves,
            check_forward_ad=True,
            check_batched_grad=True,
            check_batched_forward_grad=True,
            fast_mode=is_large(leaves),
        )


@some_or_all
@transformed
def test_second_derivatives(subject: str, chosen: Choice) -> None:
    """By differences: reverse over reverse, in batches too, and forward over reverse."""
    for function, leaves in functions(subject, chosen):
        assert gradgradcheck(
            function,
            leaves,
            gen_non_contig_grad_outputs=True,
            check_batched_grad=True,
            check_fwd_over_rev=True,
            check_rev_over_rev=True,
            fast_mode=is_large(leaves),
        )


@pytest.mark.parametrize(
    ("subject", "dtype", "chosen"),
    [
        pytest.param("nn.functional.cross_entropy", torch.float32, of_kinds, id="some"),
        *(pytest.param(each, torch.float64, distinct, marks=pytest.mark.slow, id=each) for each in TRANSFORMED),
        *(
            pytest.param(each, torch.float16, of_kinds, marks=pytest.mark.slow, id=f"{each} in two bytes")
            for each in OPERATORS
        ),
    ],
)
def test_compiled_in_full_graphs(subject: str, dtype: torch.dtype, chosen: Choice) -> None:
    for sample, theirs in taken_samples(subject, dtype, chosen):
        torch._dynamo.reset()
        assert_agrees(sample, torch.compile(SUBJECTS[subject].ours, fullgraph=True, backend="aot_eager"), theirs)


@transformed
def test_batches_of_vmap(subject: str) -> None:
    for function, leaves in functions(subject):
        batch = [torch.stack([each.detach(), 0.5 * each.detach()], -1) for each in leaves]
        actual = torch.vmap(function, in_dims=-1)(*batch)
        expected = torch.stack([function(*(each[..., i] for each in batch)) for i in range(2)])
        scale = max([1.0, *(float(each.abs().max()) for each in (expected, *batch) if each.numel())])
        tolerance = UNITS * torch.finfo(torch.float64).eps * scale
        torch.testing.assert_close(actual, expected, rtol=0.0, atol=tolerance)


def every_other(tensor: Tensor) -> Tensor:
    return torch.stack([tensor, torch.full_like(tensor, torch.nan)], -1)[..., 0]


def backwards(tensor: Tensor) -> Tensor:
    """With the first dimension closest in memory."""
    dims = tuple(reversed(range(tensor.dim())))
    return tensor.permute(dims).contiguous().permute(dims)


def negated(tensor: Tensor) -> Tensor:
    """With the negative bit: its memory has the other sign."""
    return torch.complex(torch.zeros_like(tensor), -tensor).conj().imag


@pytest.mark.parametrize("laid_out", [every_other, backwards, negated])
@subjects
def test_the_layout_changes_no_bit(subject: str, laid_out: Function) -> None:
    def changed(tensor: Tensor) -> Tensor:
        floating = tensor.is_floating_point()
        return laid_out(tensor.detach()).requires_grad_(tensor.requires_grad) if floating else tensor

    for sample, _ in taken_samples(subject):
        results = []
        for each in (sample, sample.map(changed)):
            function, leaves = each.by_leaves(SUBJECTS[subject].ours)
            result = function(*leaves)
            results.append((result.detach(), *torch.autograd.grad(result.sum(), leaves)))
        # The order in which a product of matrices is summed is the BLAS's own.
        eps = torch.finfo(torch.float64).eps if "linear" in subject.lower() else 0.0
        scale = max((float(each.abs().nan_to_num().max()) for each in results[0] if each.numel()), default=0.0)
        torch.testing.assert_close(results[0], results[1], rtol=0.0, atol=UNITS * eps * scale, equal_nan=True)
