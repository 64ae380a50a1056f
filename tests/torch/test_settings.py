"""Every function gives the same bits, values and gradients, in whatever setting of torch it is called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

import softgrad.torch as sgt
from tests.torch.derived import Function, assert_near, direction, generator, normal

UNITS = 256.0
ROWS, CLASSES = 6, 5
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 1.0, 4.0])
ALLOWED = torch.tensor([True, True, True, True, False])


def classes(x: Tensor) -> Tensor:
    return torch.arange(x.shape[0]) % CLASSES


def labels(x: Tensor) -> Tensor:
    """One of them is ignored."""
    return torch.where(torch.arange(x.shape[0]) == 2, -100, classes(x))


def probabilities(x: Tensor) -> Tensor:
    return torch.full_like(x, 1.0 / CLASSES)


FUNCTIONS: dict[str, Function] = {
    "softmax": sgt.softmax,
    "log_softmax": lambda x: sgt.log_softmax(x, 0, temperature=2.0),
    "logsumexp": sgt.logsumexp,
    "sigmoid": sgt.sigmoid,
    "log_sigmoid": sgt.log_sigmoid,
    "cross_entropy": lambda x: sgt.cross_entropy(x, labels(x)),
    "cross_entropy of rows": lambda x: sgt.cross_entropy(x, labels(x), WEIGHT, reduction="none", label_smoothing=0.1),
    "cross_entropy with softcap": lambda x: sgt.cross_entropy(x, labels(x), softcap=3.0, z_loss=0.1),
    "cross_entropy with a mask": lambda x: sgt.cross_entropy(x, labels(x).clamp(max=3), where=ALLOWED),
    "cross_entropy of probabilities": lambda x: sgt.cross_entropy(x, probabilities(x), WEIGHT),
    "binary_cross_entropy": lambda x: sgt.binary_cross_entropy(x, probabilities(x), pos_weight=WEIGHT),
    "kl_divergence": lambda x: sgt.kl_divergence(x, probabilities(x)),
    "focal": lambda x: sgt.focal(x, labels(x), WEIGHT),
    "logprob of tokens": lambda x: sgt.token_logprobs(x, classes(x)).logprob,
    "entropy of tokens": lambda x: sgt.token_logprobs(x, classes(x)).entropy,
}
functions = pytest.mark.parametrize("name", FUNCTIONS)


def value_and_gradient(function: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().clone().requires_grad_()
    result = function(leaf)
    result.backward(1.0 + direction(result.detach()) ** 2)
    assert leaf.grad is not None
    return result.detach(), leaf.grad


def assert_same_bits(actual: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    assert all(float(each.abs().max()) > 0.0 for each in expected)
    torch.testing.assert_close(actual, expected, rtol=0.0, atol=0.0)


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def flushed() -> Iterator[None]:
    assert torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def by_default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "one thread": lambda: threads(1),
    "two threads": lambda: threads(2),
    "subnormals flushed": flushed,
    "deterministic algorithms": deterministic,
    "float64 by default": lambda: by_default(torch.float64),
    "float16 by default": lambda: by_default(torch.float16),
    "saved tensors are copied": lambda: torch.autograd.graph.saved_tensors_hooks(Tensor.clone, Tensor.clone),
    "saved tensors are kept on the CPU": torch.autograd.graph.save_on_cpu,
    "autocast to bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", torch.float16),
}


@functions
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings(setting: str, dtype: torch.dtype, name: str) -> None:
    x = normal(generator(), ROWS, CLASSES).to(dtype)
    expected = value_and_gradient(FUNCTIONS[name], x)
    with SETTINGS[setting]():
        actual = value_and_gradient(FUNCTIONS[name], x)
    assert_same_bits(actual, expected)


WAYS: dict[str, Callable[[Function, Tensor], Function]] = {
    "checkpoint": lambda f, _: lambda x: checkpoint(f, x, use_reentrant=False),
    "reentrant checkpoint": lambda f, _: lambda x: checkpoint(f, x, use_reentrant=True),
    "traced by make_fx": lambda f, x: make_fx(lambda x: f(x))(x),
    "functionalized": lambda f, _: torch.func.functionalize(f),
}


@functions
@pytest.mark.parametrize("way", WAYS)
def test_ways_to_call(way: str, name: str) -> None:
    """Within rounding: a trace has no path for plain calls, which makes value and gradient in one pass."""
    x = normal(generator(), ROWS, CLASSES)
    actual = value_and_gradient(WAYS[way](FUNCTIONS[name], x), x)
    assert_near(actual, value_and_gradient(FUNCTIONS[name], x), UNITS)


@functions
def test_exported(name: str) -> None:
    class Model(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return FUNCTIONS[name](x)

    g = generator()
    program = torch.export.export(Model(), (normal(g, ROWS, CLASSES),))
    x = normal(g, ROWS, CLASSES)
    assert_near(program.module()(x), FUNCTIONS[name](x), UNITS)


# torch folds what is constant in its trace.
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node")
@functions
def test_linearized(name: str) -> None:
    x = normal(generator(), ROWS, CLASSES)
    value, along = torch.func.linearize(FUNCTIONS[name], x)
    expected = torch.func.jvp(FUNCTIONS[name], (x,), (direction(x),))
    assert_near((value, along(direction(x))), expected, UNITS)


@functions
def test_without_gradient(name: str) -> None:
    """In inference mode, without gradients, and of tensors that need none."""
    x = normal(generator(), ROWS, CLASSES)
    expected, _ = value_and_gradient(FUNCTIONS[name], x)
    with torch.inference_mode():
        inferred = FUNCTIONS[name](x)
    with torch.no_grad():
        untracked = FUNCTIONS[name](x.clone().requires_grad_())
    assert not untracked.requires_grad
    for each in (inferred, untracked, FUNCTIONS[name](x)):
        assert_near(each, expected, UNITS)


@functions
def test_the_graph_is_kept_and_freed(name: str) -> None:
    x = normal(generator(), ROWS, CLASSES).requires_grad_()
    result = FUNCTIONS[name](x)
    above = 1.0 + direction(result.detach()) ** 2
    first, second = (torch.autograd.grad(result, x, above, retain_graph=True)[0].clone() for _ in range(2))
    assert float(first.abs().max()) > 0.0
    assert torch.equal(first, second)
    torch.autograd.grad(result, x, above)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(result, x, above)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"softmax", "log_softmax"}))
def test_logits_that_are_changed_before_the_backward_are_noticed(name: str) -> None:
    leaf = normal(generator(), ROWS, CLASSES).requires_grad_()
    x = leaf * 1.0
    result = FUNCTIONS[name](x)
    x.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


@functions
def test_in_several_threads(name: str) -> None:
    """DataParallel runs each replica in a thread of its own, and all have the same functions."""
    g = generator()
    inputs = [normal(g, ROWS, CLASSES) for _ in range(8)]
    expected = [value_and_gradient(FUNCTIONS[name], x) for x in inputs]
    actual: dict[int, tuple[Tensor, Tensor]] = {}

    def work(i: int) -> None:
        actual[i] = value_and_gradient(FUNCTIONS[name], inputs[i])

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for i, each in enumerate(expected):
        assert_same_bits(actual[i], each)


# torch looks at the gradients of what was saved while it makes fakes of it.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.slow
@functions
def test_compiled_autograd(name: str) -> None:
    torch._dynamo.reset()
    x = normal(generator(), ROWS, CLASSES)
    _, expected = value_and_gradient(FUNCTIONS[name], x)
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="aot_eager", fullgraph=True)):
        leaf = x.clone().requires_grad_()
        result = FUNCTIONS[name](leaf)
        result.backward(1.0 + direction(result.detach()) ** 2)
    assert leaf.grad is not None
    assert_near(leaf.grad, expected, UNITS)


@pytest.mark.slow
@functions
def test_compiled_for_any_number_of_rows(name: str) -> None:
    """By inductor, with symbols for the sizes."""
    torch._dynamo.reset()
    g = generator()
    compiled = torch.compile(FUNCTIONS[name], fullgraph=True, dynamic=True)
    for rows in (ROWS, 9):
        x = normal(g, rows, CLASSES)
        assert_near(value_and_gradient(compiled, x), value_and_gradient(FUNCTIONS[name], x), UNITS)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_another_dimension_for_a_compiled_function(name: str) -> None:
    """From the second on, it is a symbol."""
    torch._dynamo.reset()
    function, x = getattr(sgt, name), normal(generator(), 2, 3, 4)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for dim in (0, 1, 2, -3, (0, 2), (-1, 0)):
        assert_near(compiled(x, dim), function(x, dim), UNITS)


@functions
def test_no_rows(name: str) -> None:
    value, gradient = value_and_gradient(FUNCTIONS[name], torch.zeros(0, CLASSES))
    assert value.sum().item() == 0.0
    assert gradient.shape == (0, CLASSES)
    x = torch.zeros(0, CLASSES)
    assert torch.func.grad(lambda x: FUNCTIONS[name](x).sum())(x).shape == x.shape
    assert torch.func.jvp(FUNCTIONS[name], (x,), (x,))[1].sum().item() == 0.0
