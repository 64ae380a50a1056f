"""The samples that PyTorch's own suites try its operators and modules with, and what of softgrad takes their place."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import hypothesis
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

import softgrad.torch as sgt

Function = Callable[..., Tensor]

# That of torch's own runs.
SEED = 1234
TWO_BYTES = (torch.float16, torch.bfloat16)
DTYPES = (torch.float64, torch.float32, *TWO_BYTES)


@dataclass(frozen=True)
class Subject:
    """A function of softgrad, and the one of torch in whose place it is; a module is one of its options as well."""

    ours: Function
    theirs: Function


@dataclass(frozen=True)
class Sample:
    """A call of a subject."""

    subject: str
    number: int
    dtype: torch.dtype
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def __str__(self) -> str:
        def shown(given: Any) -> str:
            return str(tuple(given.shape)) if isinstance(given, Tensor) else str(given)

        options = [f"{name}={shown(each)}" for name, each in self.options.items()]
        return f"{self.subject} {self.dtype} {self.number}: {', '.join((*map(shown, self.arguments), *options))}"

    def call(self, function: Function) -> Tensor:
        return function(*self.arguments, **self.options)

    def with_options(self, **options: Any) -> Sample:
        return replace(self, options=self.options | options)

    def map(self, change: Callable[[Tensor], Tensor]) -> Sample:
        """The sample with changed tensors."""

        def changed(each: Any) -> Any:
            return change(each) if isinstance(each, Tensor) else each

        arguments, options = tree_map(changed, (self.arguments, self.options))
        return replace(self, arguments=arguments, options=options)

    def to(self, dtype: torch.dtype) -> Sample:
        """The sample with floating tensors of another dtype, which are leaves."""

        def leaf(tensor: Tensor) -> Tensor:
            kept = dtype if tensor.is_floating_point() else tensor.dtype
            return tensor.detach().to(kept, copy=True).requires_grad_(tensor.requires_grad)

        return self.map(leaf)

    def by_leaves(self, function: Function) -> tuple[Function, tuple[Tensor, ...]]:
        """The call as a function of those tensors that have a gradient, and these."""
        flat, structure = tree_flatten((self.arguments, self.options))
        places = [i for i, each in enumerate(flat) if isinstance(each, Tensor) and each.requires_grad]

        def of_leaves(*leaves: Tensor) -> Tensor:
            filled = list(flat)
            for place, leaf in zip(places, leaves, strict=True):
                filled[place] = leaf
            arguments, options = tree_unflatten(filled, structure)
            return function(*arguments, **options)

        return of_leaves, tuple(flat[place].detach().requires_grad_() for place in places)


def _of_module(module: type[nn.Module]) -> Function:
    """A module as a function: what is not given to its forward constructs it."""
    return lambda *arguments, **options: module(**options)(*arguments)


def _of_linear_module(module: type[nn.Module]) -> Function:
    """A module with a head, as a function of that too."""

    def function(x: Tensor, target: Tensor, head: Tensor, bias: Tensor, **options: Any) -> Tensor:
        made = module(head.shape[1], head.shape[0] // math.prod(options["out_features"]), **options)
        result: Tensor = functional_call(made, {"linear.weight": head, "linear.bias": bias}, (x, target))
        return result

    return function


def _after_log_softmax(loss: Function) -> Function:
    """A loss of logarithms of probabilities as one of logits."""
    return lambda x, *rest, **options: loss(F.log_softmax(x, 0 if x.dim() == 1 else 1), *rest, **options)


def _linear_cross_entropy(
    x: Tensor, head: Tensor, target: Tensor, *, linear_bias: Tensor | None = None, weight: Any = None, **options: Any
) -> Tensor:
    """By torch's names for the options."""
    return sgt.linear_cross_entropy(x, head, target, linear_bias, class_weight=weight, **options)


OPERATORS = {
    "softmax": Subject(sgt.softmax, torch.softmax),
    "log_softmax": Subject(sgt.log_softmax, torch.log_softmax),
    "logsumexp": Subject(sgt.logsumexp, torch.logsumexp),
    "sigmoid": Subject(sgt.sigmoid, torch.sigmoid),
    "nn.functional.logsigmoid": Subject(sgt.log_sigmoid, F.logsigmoid),
    "nn.functional.cross_entropy": Subject(sgt.cross_entropy, F.cross_entropy),
    "nn.functional.nll_loss": Subject(sgt.cross_entropy, _after_log_softmax(F.nll_loss)),
    "nn.functional.kl_div": Subject(_of_module(sgt.KLDivLoss), F.kl_div),
    "nn.functional.binary_cross_entropy_with_logits": Subject(
        sgt.binary_cross_entropy, F.binary_cross_entropy_with_logits
    ),
    "nn.functional.linear_cross_entropy": Subject(_linear_cross_entropy, F.linear_cross_entropy),
}
CLASSES: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "nn.CrossEntropyLoss": (sgt.CrossEntropyLoss, nn.CrossEntropyLoss),
    "nn.KLDivLoss": (sgt.KLDivLoss, nn.KLDivLoss),
    "nn.BCEWithLogitsLoss": (sgt.BCEWithLogitsLoss, nn.BCEWithLogitsLoss),
}
MODULES = {
    **{name: Subject(_of_module(ours), _of_module(theirs)) for name, (ours, theirs) in CLASSES.items()},
    "nn.LinearCrossEntropyLoss": Subject(
        _of_linear_module(sgt.LinearCrossEntropyLoss), _of_linear_module(nn.LinearCrossEntropyLoss)
    ),
    "nn.NLLLoss": Subject(_of_module(sgt.CrossEntropyLoss), _after_log_softmax(_of_module(nn.NLLLoss))),
}
SUBJECTS = OPERATORS | MODULES
"""By the names that the suites have for them."""


@cache
def _suite() -> dict[str, Any]:
    """What torch knows of its operators and modules. To import that takes seconds, and sets a profile of hypothesis."""
    profile = hypothesis.settings.get_current_profile_name()
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db

    hypothesis.settings.load_profile(profile)
    operators = {each.name: each for each in op_db if not each.variant_test_name}
    return operators | {each.name: each for each in module_db}


def dtypes_of(subject: str) -> list[torch.dtype]:
    """What torch has the operator or module for."""
    return sorted(_suite()[subject].dtypes, key=str)


def _of_module_input(made: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What is positional for the constructor is the shape of a head."""
    shape, options, given = made.constructor_input.args, dict(made.constructor_input.kwargs), made.forward_input
    assert not given.kwargs
    if not shape:
        return given.args, options
    del options["device"], options["dtype"]
    # The samples are of heads with a bias, which some name and some do not.
    assert options.pop("bias", True)
    x, target = given.args
    rows = shape[1] * math.prod(options["out_features"])
    head, bias = (torch.randn(size, dtype=x.dtype).requires_grad_(x.requires_grad) for size in ((rows, shape[0]), rows))
    return (x, target, head, bias), options


def _calls(subject: str, dtype: torch.dtype, tracked: bool) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    known = _suite()[subject]
    if subject in OPERATORS:
        for each in known.sample_inputs("cpu", dtype, requires_grad=tracked):
            yield (each.input, *each.args), each.kwargs
    else:
        yield from map(_of_module_input, known.module_inputs_func(known, "cpu", dtype, tracked, True))


@cache
def samples_of(subject: str, dtype: torch.dtype) -> list[Sample]:
    """With gradients where the dtype has any."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        random.seed(SEED)
        calls = list(_calls(subject, dtype, dtype in DTYPES))
    return [Sample(subject, number, dtype, *call).to(dtype) for number, call in enumerate(calls)]


def refused_samples_of(module: str) -> list[Sample]:
    """What torch refuses as well."""
    known = _suite()[module]
    refused = known.module_error_inputs_func(known, "cpu", torch.float64, False, True)
    calls = [_of_module_input(each.module_error_input) for each in refused]
    return [Sample(module, number, torch.float64, *call) for number, call in enumerate(calls)]
