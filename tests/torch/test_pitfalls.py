"""What a binding to torch loses without a word if it is made the nearest way; each test fails on that way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import grad, jvp
from torch.utils.checkpoint import checkpoint

import softgrad as sg
import softgrad.torch as sgt
from tests.torch import definitions
from tests.torch.derived import EPS, Function, assert_near, direction, generator, normal

UNITS = 256.0


def cubes(x: Tensor) -> Tensor:
    return (sgt.softmax(x) ** 3).sum()


def cubes_defined(x: Tensor) -> Tensor:
    return (definitions.softmax(x) ** 3).sum()


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_nested_tangents_are_not_lost(name: str) -> None:
    """An autograd.Function with a jvp of its own gives 0, and so do torch's operations in it with forward mode off."""
    x = normal(generator(), 3, 4)

    def along(f: Function, k: int) -> Function:
        return lambda x: jvp(f, (x,), (direction(x, k),))[1]

    def thrice(module: object) -> Tensor:
        return along(along(along(getattr(module, name), 0), 1), 2)(x)

    assert_near(thrice(sgt), thrice(definitions), UNITS)


def test_a_dual_level_around_torch_func_is_not_lost() -> None:
    x = normal(generator(), 3, 4)

    def mixed(f: object) -> Tensor:
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x, direction(x))
            return torch.autograd.forward_ad.unpack_dual(grad(f)(dual)).tangent

    assert_near(mixed(cubes), mixed(cubes_defined), UNITS)


def test_a_backward_within_a_dual_level() -> None:
    """Forward over reverse by the engine: the Function's forward runs with forward mode off."""
    x, y = normal(generator(), 3, 4), torch.tensor([0, 3, 1])

    def mixed(module: object) -> Tensor:
        leaf = x.clone().requires_grad_()
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(leaf, direction(x))
            loss = module.cross_entropy(dual, y)  # type: ignore[attr-defined]
            (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
            return torch.autograd.forward_ad.unpack_dual(gradient).tangent

    assert_near(mixed(sgt), mixed(definitions), UNITS)


def test_checkpointing_reads_what_was_saved_once() -> None:
    x, y = normal(generator(), 3, 4).requires_grad_(), torch.tensor([0, 3, 1])
    for f in (lambda x: sgt.cross_entropy(x, y), lambda x: sgt.cross_entropy(x, y, softcap=3.0), cubes):
        (expected,) = torch.autograd.grad(f(x), x)
        (actual,) = torch.autograd.grad(checkpoint(f, x, use_reentrant=False), x)
        assert torch.equal(actual, expected)


def test_a_graph_may_be_kept() -> None:
    x, y = normal(generator(), 3, 4).requires_grad_(), torch.tensor([0, 3, 1])
    loss = sgt.cross_entropy(x, y)
    first, second = (torch.autograd.grad(loss, x, retain_graph=True)[0].clone() for _ in range(2))
    assert torch.equal(first, second)
    assert float(first.abs().max()) > 0.0


def test_gradients_add_up() -> None:
    """The gradient that is handed over is not the one that is saved: to add to it would change the next."""
    x, y = normal(generator(), 3, 4).requires_grad_(), torch.tensor([0, 3, 1])
    loss = sgt.cross_entropy(x, y)
    loss.backward(retain_graph=True)
    assert x.grad is not None
    once = x.grad.clone()
    loss.backward()
    assert torch.equal(x.grad, 2.0 * once)


# torch looks at the gradients of what was saved while it makes fakes of it.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_autograd() -> None:
    x, y = normal(generator(), 3, 4), torch.tensor([0, 3, 1])
    expected = grad(lambda x: sgt.cross_entropy(x, y) + cubes(x))(x)
    leaf = x.clone().requires_grad_()
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="aot_eager", fullgraph=True)):
        (sgt.cross_entropy(leaf, y) + cubes(leaf)).backward()
    assert leaf.grad is not None
    assert_near(leaf.grad, expected, UNITS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_scale_of_a_loss_reaches_the_gradient_before_it_is_rounded(dtype: torch.dtype) -> None:
    """Made with the loss, and scaled afterwards, 5 % of the entries of a gradient in float16 are 0."""
    g = generator()
    x, y = normal(g, 512, 1000, dtype=torch.float32).to(dtype), torch.randint(0, 1000, (512,), generator=g)
    leaf = x.clone().requires_grad_()
    (sgt.cross_entropy(leaf, y) * 65536.0).backward()
    assert leaf.grad is not None
    exact = sg.cross_entropy.grad(x.double().numpy(), y.numpy(), upstream=65536.0)
    assert float((leaf.grad == 0).double().mean()) == 0.0
    worst = np.abs(leaf.grad.double().numpy() / exact - 1.0).max()
    # Entries are normal numbers: each is within half a unit of its last place, and one of float32 on the way.
    assert worst <= torch.finfo(dtype).eps * (0.5 + torch.finfo(dtype).eps)


def test_the_mode_for_subnormals_changes_no_bit() -> None:
    g = generator()
    x = (30.0 * normal(g, 64, 300, dtype=torch.float32)).requires_grad_()
    y = torch.randint(0, 300, (64,), generator=g)

    def results() -> list[Tensor]:
        loss = sgt.cross_entropy(x, y)
        half = torch.autograd.grad(0.5 * sgt.cross_entropy(x, y), x)[0]
        p = sgt.softmax(x)
        return [loss, p, torch.autograd.grad(loss, x)[0], half, torch.autograd.grad(p.sum(), x)[0]]

    expected = results()
    smallest = torch.finfo(torch.float32).smallest_normal
    assert any(bool(((each != 0) & (each.abs() < smallest)).any()) for each in expected[1:])
    assert torch.set_flush_denormal(True)
    try:
        actual = results()
    finally:
        torch.set_flush_denormal(False)
    for one, other in zip(actual, expected, strict=True):
        assert torch.equal(one.detach().view(torch.int32), other.detach().view(torch.int32))


@pytest.fixture
def _threads_as_before() -> Iterator[None]:
    before, torch_before = sg.get_num_threads(), torch.get_num_threads()
    yield
    torch.set_num_threads(torch_before)
    sg.set_num_threads(before)


def a_plain_call() -> None:
    sgt.cross_entropy(torch.zeros(1, 2), torch.tensor([0]), temperature=2.0)


def an_operator() -> None:
    sgt.softmax(torch.zeros(2))


def a_batch() -> None:
    torch.vmap(sgt.softmax)(torch.zeros(2, 2))


@pytest.mark.usefixtures("_threads_as_before")
@pytest.mark.parametrize("work", [a_plain_call, an_operator, a_batch])
def test_torch_limits_the_threads(work: Callable[[], None]) -> None:
    sg.set_num_threads(3)
    torch.set_num_threads(1)
    work()
    assert sg.get_num_threads() == 1
    torch.set_num_threads(2)
    work()
    assert sg.get_num_threads() == 2
    torch.set_num_threads(8)
    work()
    assert sg.get_num_threads() == 3


@pytest.mark.usefixtures("_threads_as_before")
def test_the_threads_that_were_chosen_last_count() -> None:
    sg.set_num_threads(4)
    torch.set_num_threads(2)
    an_operator()
    sg.set_num_threads(3)
    an_operator()
    assert sg.get_num_threads() == 2
    sg.set_num_threads(1)
    torch.set_num_threads(8)
    an_operator()
    assert sg.get_num_threads() == 1


def test_two_threads_at_once() -> None:
    """DataParallel has it so: forward and backward of each replica in a thread of its own."""
    g = generator()
    inputs = [normal(g, 40, 30) for _ in range(8)]
    y = torch.randint(0, 30, (40,), generator=g)

    def gradient(x: Tensor) -> Tensor:
        leaf = x.clone().requires_grad_()
        (sgt.cross_entropy(leaf, y) + cubes(leaf)).backward()
        assert leaf.grad is not None
        return leaf.grad

    expected = [gradient(x) for x in inputs]
    actual: dict[int, Tensor] = {}
    workers = [threading.Thread(target=lambda i=i: actual.update({i: gradient(inputs[i])})) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for i, each in enumerate(expected):
        assert torch.equal(actual[i], each)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(dtype: torch.dtype) -> None:
    """The logits of a linear layer are rounded to two bytes; the loss is not."""
    g = generator()
    layer, x, y = torch.nn.Linear(5, 4), normal(g, 6, 5, dtype=torch.float32), torch.tensor([0, 1, 2, 3, 0, 1])
    with torch.autocast("cpu", dtype):
        logits = layer(x)
        loss = sgt.cross_entropy(logits, y)
    assert logits.dtype is dtype
    assert loss.dtype is torch.float32
    assert_near(loss, definitions.cross_entropy(logits.double(), y), 4.0, torch.float32)
    loss.backward()
    assert float(layer.weight.grad.abs().max()) > EPS[torch.float32]


def test_bits_that_are_lazy_are_taken_as_they_are() -> None:
    """The negative bit: the memory of such a tensor has the other sign."""
    z = torch.complex(normal(generator(), 3, 4), normal(generator(), 3, 4)).conj().imag
    assert z.is_neg()
    y = torch.tensor([0, 3, 1])
    assert_near(sgt.softmax(z), definitions.softmax(z), UNITS)
    assert_near(sgt.cross_entropy(z, y), definitions.cross_entropy(z, y), UNITS)
    assert_near(sgt.cross_entropy(z, y, temperature=2.0), definitions.cross_entropy(z, y, temperature=2.0), UNITS)


def test_a_subclass_of_tensor_stays_one() -> None:
    class Named(torch.Tensor):
        pass

    x = normal(generator(), 3, 4).as_subclass(Named)
    assert type(sgt.softmax(x)) is Named
    assert type(sgt.cross_entropy(x, torch.tensor([0, 1, 2]))) is Named


def test_inference_mode() -> None:
    x, y = normal(generator(), 3, 4), torch.tensor([0, 3, 1])
    with torch.inference_mode():
        loss = sgt.cross_entropy(x, y)
    assert loss.is_inference()
    assert_near(loss, definitions.cross_entropy(x, y), UNITS)
