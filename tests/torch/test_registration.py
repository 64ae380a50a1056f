"""The operators as torch's own checks see them, and the private names that they are made with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import _C, library
from torch._functorch import autograd_function, pyfunctorch, utils
from torch.autograd import forward_ad

from softgrad.torch import _registration
from tests.torch.derived import generator, normal, uniform

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
LOSS_DTYPES = {torch.float64: torch.float64} | dict.fromkeys(DTYPES[1:], torch.float32)
# What stands behind the logits, the vectors and what arrives from above, of each loss.
REST: dict[str, Any] = {
    "cross_entropy": lambda g, _: (
        torch.tensor([0, 2, -100]),
        uniform(g, 4),
        uniform(g, 3),
        torch.ones(3, 4, dtype=torch.bool),
        [1],
        -100,
        0.1,
        1.5,
        3.0,
        0.1,
    ),
    "binary_cross_entropy": lambda g, _: (torch.rand(3, 4, generator=g), None, uniform(g, 3, 4), 0.1),
    "kl_divergence": lambda g, dtype: (normal(g, 3, 4).to(dtype), uniform(g, 3), None, [1], 2.0),
    "focal": lambda g, _: (torch.tensor([0, 2, -100]), uniform(g, 4), None, [1], -100, 2.0),
}


def calls(g: torch.Generator, dtype: torch.dtype) -> Iterator[tuple[str, tuple[Any, ...]]]:
    x, v = (normal(g, 3, 4).to(dtype) for _ in range(2))
    row = normal(g, 3).to(dtype)
    mask = torch.tensor([True, True, False, True]).expand(3, 4)
    for name in ("softmax", "log_softmax"):
        yield name, (x, mask, [1], 0.7)
    yield "softmax_vjp", (torch.softmax(x, 1), v, None, [1], 0.7)
    for name in ("log_softmax_vjp", "log_softmax_jvp"):
        yield name, (torch.log_softmax(x, 1), v, None, [1], 0.7)
    yield "logsumexp", (x, mask, [1])
    yield "logsumexp_vjp", (x, row, None, [1])
    yield "logsumexp_jvp", (x, v, None, [1])
    yield "logsumexp_hvp", (x, row, v, None, [1])
    for name in ("sigmoid", "log_sigmoid"):
        yield name, (x,)
        yield f"{name}_vjp", (x, v)
    yield "token_logprobs", (x, torch.tensor([0, 3, 1]), [1])
    yield "mean", (row.to(LOSS_DTYPES[dtype]), torch.tensor(3.0, dtype=torch.float64), 0)
    for name, rest in REST.items():
        behind = rest(g, dtype)
        above = (normal(g, 3, 4) if name == "binary_cross_entropy" else normal(g, 3)).to(LOSS_DTYPES[dtype])
        yield name, (x, *behind)
        yield f"{name}_grad", (x, above, *behind)
        yield f"{name}_jvp", (x, v, *behind)
        yield f"{name}_hvp", (x, v, above, *behind)
    yield from calls_of_a_linear_head(g, dtype)


def calls_of_a_linear_head(g: torch.Generator, dtype: torch.dtype) -> Iterator[tuple[str, tuple[Any, ...]]]:
    operands, vectors = ([normal(g, *shape).to(dtype) for shape in ((3, 2), (4, 2), (4,))] for _ in range(2))
    above, labels = normal(g, 3).to(LOSS_DTYPES[dtype]), torch.tensor([0, 2, -100])
    behind = (labels, uniform(g, 4), uniform(g, 3), None, -100, 0.1, 1.5, 3.0, 0.1, 8192, None)
    yield "linear_cross_entropy", (*operands, *behind, True)
    yield "linear_cross_entropy_grad", (*operands, above, *behind, True, False, True)
    yield "linear_cross_entropy_jvp", (*operands, *vectors, *behind)
    yield "linear_cross_entropy_hvp", (*operands, vectors[0], None, vectors[2], above, *behind, True, True, False)


NAMES = [name for name, _ in calls(torch.Generator(), torch.float64)]


def check(name: str, dtype: torch.dtype, tracked: bool) -> None:
    arguments = dict(calls(generator(), dtype))[name]
    first = arguments[0].clone().requires_grad_(tracked)
    library.opcheck(getattr(torch.ops.softgrad, name).default, (first, *arguments[1:]))


@pytest.mark.parametrize("name", ["softmax", "cross_entropy", "cross_entropy_grad", "token_logprobs"])
def test_an_operator_passes_opcheck(name: str) -> None:
    check(name, torch.float32, True)


@pytest.mark.slow
@pytest.mark.parametrize("tracked", [False, True], ids=["plain", "tracked"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_every_operator_passes_opcheck(name: str, dtype: torch.dtype, tracked: bool) -> None:
    check(name, dtype, tracked)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_stand_first(name: str) -> None:
    arguments = getattr(torch.ops.softgrad, name).default._schema.arguments
    are_tensors = ["Tensor" in str(each.type) for each in arguments]
    assert are_tensors == sorted(are_tensors, reverse=True)


def test_every_operator_is_checked() -> None:
    defined = {each.split("::")[1].split(".")[0] for each in _C._dispatch_get_all_op_names() if "softgrad::" in each}
    assert defined == set(NAMES)


@pytest.mark.parametrize("key", ["CPU", "Meta", "Autograd", "FuncTorchBatched"])
@pytest.mark.parametrize("name", NAMES)
def test_every_operator_has_its_kernels(name: str, key: str) -> None:
    assert _C._dispatch_has_kernel_for_dispatch_key(f"softgrad::{name}", key)


def test_the_private_names_are_there() -> None:
    """Of the version of torch that is installed: `_registration` is the one file that uses them."""
    for owner, names in (
        (
            _C,
            (
                "_AutoDispatchBelowAutograd",
                "_after_autograd_keyset",
                "_any_requires_grad",
                "_are_functorch_transforms_active",
                "_len_torch_dispatch_stack",
                "_len_torch_function_stack",
                "_will_engine_execute_node",
            ),
        ),
        (torch.Tensor, ("_backward_hooks", "_post_accumulate_grad_hooks")),
        (_C._functorch, ("is_legacy_batchedtensor",)),
        (forward_ad, ("_current_level", "_set_fwd_grad_enabled")),
        (torch._VF, ("_unpack_dual",)),
        (autograd_function, ("custom_function_call_vmap_helper",)),
        (pyfunctorch, ("retrieve_current_functorch_interpreter",)),
        (utils, ("enable_single_level_autograd_function",)),
    ):
        for name in names:
            assert hasattr(owner, name), name


def test_private_names_stand_in_one_file() -> None:
    private = re.compile(r"(?<!softgrad\.)\btorch\._|\bfrom torch import _|\bforward_ad\b|\b_C\b|\b_VF\b")
    folder = Path(_registration.__file__).parent
    users = {path.name for path in folder.glob("*.py") if private.search(path.read_text(encoding="utf-8"))}
    assert users == {"_registration.py"}


def test_transforms_are_seen() -> None:
    seen = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(_registration.is_transformed())
        return x.sum()

    x = torch.ones(2)
    look(x)
    torch.func.grad(look)(x)
    torch.vmap(look)(x)
    with forward_ad.dual_level():
        look(x)
    with torch.device("meta"):
        look(x)
    assert seen == [False, True, True, True, True]
