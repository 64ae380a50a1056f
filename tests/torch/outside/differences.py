"""The one table of what differs from torch in the samples of its suites, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.torch.outside.samples import DTYPES, TWO_BYTES, Function, Sample

LOSSES = (
    "nn.functional.cross_entropy",
    "nn.functional.nll_loss",
    "nn.functional.kl_div",
    "nn.functional.binary_cross_entropy_with_logits",
    "nn.functional.linear_cross_entropy",
    "nn.CrossEntropyLoss",
    "nn.NLLLoss",
    "nn.KLDivLoss",
    "nn.BCEWithLogitsLoss",
    "nn.LinearCrossEntropyLoss",
)
DIVERGENCES = ("nn.functional.kl_div", "nn.KLDivLoss")


@dataclass(frozen=True)
class Refusal:
    """A call that torch takes."""

    reason: str
    applies: Callable[[Sample], bool]
    error: type[Exception]
    message: str
    without: Callable[[Sample], Sample] | None
    """The sample without that for which it is refused, where something of it is left."""


@dataclass(frozen=True)
class OtherResult:
    """A call that has another result."""

    reason: str
    applies: Callable[[Sample], bool]
    instead: Callable[[Function], Function]
    """Makes of torch's function the one that softgrad's is."""


def _weights(sample: Sample) -> dict[str, Tensor]:
    return {name: sample.options[name] for name in ("weight", "pos_weight") if sample.options.get(name) is not None}


def _of_distributions(divergence: Function) -> Function:
    def normalised(x: Tensor, target: Tensor, **options: object) -> Tensor:
        x = torch.log_softmax(x, -1)
        if options.get("log_target"):
            return divergence(x, torch.log_softmax(target, -1), **options)
        return divergence(x, torch.softmax(torch.log(target), -1), **options)

    return normalised


def _is_a_number(sample: Sample) -> bool:
    """Torch makes samples of logarithms of negative numbers."""
    return not bool(sample.arguments[0].isnan().all())


def _of_four_bytes(loss: Function) -> Function:
    def widened(*arguments: object, **options: object) -> Tensor:
        result = loss(*arguments, **options)
        return result.to(torch.float32) if result.dtype in TWO_BYTES else result

    return widened


DIFFERENCES = [
    Refusal(
        "softmax of integers, truth values or complex numbers is a mistake more often than it is meant",
        lambda sample: sample.dtype not in DTYPES,
        TypeError,
        "input has dtype",
        None,
    ),
    Refusal(
        "a negative weight makes a loss that has no minimum",
        lambda sample: any(bool((each < 0).any()) for each in _weights(sample).values()),
        ValueError,
        "weights must be finite and not negative",
        lambda sample: sample.with_options(**{name: each.abs() for name, each in _weights(sample).items()}),
    ),
    Refusal(
        "a head with further dimensions is one with more classes and a reshape",
        lambda sample: sample.subject == "nn.functional.linear_cross_entropy" and sample.arguments[1].dim() > 2,
        ValueError,
        "weight has shape",
        None,
    ),
    Refusal(
        "a module has a head without further dimensions too",
        lambda sample: bool(sample.options.get("out_features")),
        NotImplementedError,
        "out_features of torch.nn.LinearCrossEntropyLoss",
        None,
    ),
    Refusal(
        "blocks are chosen by their size in bytes",
        lambda sample: sample.options.get("options") is not None and not sample.options.get("out_features"),
        NotImplementedError,
        "options of torch.nn.LinearCrossEntropyLoss",
        lambda sample: sample.with_options(options=None),
    ),
    OtherResult(
        "a mean of many losses in two bytes would lose most of them",
        lambda sample: sample.subject in LOSSES and sample.dtype in TWO_BYTES,
        _of_four_bytes,
    ),
    OtherResult(
        "what is no distribution has no divergence: it is made one",
        lambda sample: sample.subject in DIVERGENCES and _is_a_number(sample),
        _of_distributions,
    ),
    OtherResult(
        "a divergence is a number of a distribution, not of each class",
        lambda sample: (
            sample.subject in DIVERGENCES
            and sample.options.get("reduction") == "none"
            and sample.arguments[0].dim() > 0
        ),
        lambda loss: lambda *arguments, **options: loss(*arguments, **options).sum(-1),
    ),
]


def differences_of(sample: Sample) -> list[Refusal | OtherResult]:
    return [each for each in DIFFERENCES if each.applies(sample)]
