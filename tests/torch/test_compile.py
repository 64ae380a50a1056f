"""Under torch.compile(fullgraph=True) and torch.export nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch._dynamo.testing
from torch import Tensor
from torch.func import grad, hessian, jvp, vmap

import softgrad.torch as sgt
from tests.torch import definitions
from tests.torch.derived import EVERY, assert_near, direction, generator, normal
from tests.torch.problems import labels, logits, options_of

UNITS = 1024.0

# What Dynamo traces of functions of torch's own operations: no backward in the function and no dual level, for which it
# has torch.func, and not the other two, where torch's own cross_entropy fails as well.
UNTRACED = {"forward mode", "batched gradients", "jvp of a hessian", "fifth order"}
TRACED = {"forward mode", "batched gradients", "forward over forward", "jvp of jvp of jvp"}
UNTRACED |= {"jvp of a hessian", "fifth order"}
TRACED = [way for way in EVERY if "backward" not in way and way not in UNTRACED]
Loss = Callable[[Tensor], Tensor]
TRANSFORMS: dict[str, Callable[[Loss], Callable[[Tensor], Tensor]]] = {
    "the loss": lambda f: f,
    "grad": grad,
    "jvp": lambda f: lambda x: jvp(f, (x,), (direction(x),))[1],
    "jvp of jvp": EVERY["forward over forward"],
    "hessian": hessian,
    "vmap over grad": lambda f: lambda x: vmap(grad(f))(torch.stack([x, 2.0 * x])),
}


@pytest.fixture(autouse=True)
def _compiles_anew() -> None:
    torch._dynamo.reset()


def compiled(f: Callable[..., Tensor], backend: str = "aot_eager") -> Callable[..., Tensor]:
    return torch.compile(f, fullgraph=True, backend=backend)  # type: ignore[no-any-return]


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_compiled_transforms(transform: str) -> None:
    g = generator()
    x, y, options = logits(g), labels("indices", g), options_of("class weights and smoothing", g)
    derive = TRANSFORMS[transform]
    actual = compiled(derive(lambda x: sgt.cross_entropy(x, y, **options)))(x)
    assert_near(actual, derive(lambda x: definitions.cross_entropy(x, y, **options))(x), UNITS)


def test_inductor_with_a_backward() -> None:
    g = generator()
    x, y = logits(g), labels("indices", g)

    def of(module: object, x: Tensor) -> Tensor:
        return module.cross_entropy(x, y) + (module.softmax(x, 1) ** 2).sum()  # type: ignore[attr-defined]

    leaf = x.clone().requires_grad_()
    compiled(lambda x: of(sgt, x), "inductor")(leaf).backward()
    assert leaf.grad is not None
    assert_near(leaf.grad, grad(lambda x: of(definitions, x))(x), UNITS)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_wrong_label_is_named(backend: str) -> None:
    x, y = torch.zeros(3, 4), torch.tensor([0, 9, 1])
    f = compiled(lambda x, y: sgt.cross_entropy(x, y, torch.ones(4)), backend)
    with pytest.raises(ValueError, match=r"labels\[1\] is 9; logits have 4 classes \(0 to 3\)"):
        f(x, y)


@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_the_number_of_rows_is_no_constant(kind: str) -> None:
    g = generator()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    f = torch.compile(lambda x, y: sgt.cross_entropy(x, y), fullgraph=True, dynamic=True, backend=counter)
    counts = []
    for rows in (3, 4, 7, 12):
        x = normal(g, rows, 5)
        y = torch.randint(0, 5, (rows,), generator=g) if kind == "indices" else torch.softmax(normal(g, rows, 5), 1)
        assert_near(f(x, y), definitions.cross_entropy(x, y), UNITS)
        counts.append(counter.frame_count)
    assert counts[-1] == counts[1]


def test_export() -> None:
    class Model(torch.nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return sgt.cross_entropy(x, y, label_smoothing=0.1)

    g = generator()
    x, y = normal(g, 4, 3), torch.tensor([0, 1, -100, 2])
    program = torch.export.export(Model(), (x, y))
    names = {str(node.target) for node in program.graph.nodes}
    assert "softgrad.cross_entropy.default" in names
    again = normal(g, 4, 3)
    assert_near(program.module()(again, y), definitions.cross_entropy(again, y, label_smoothing=0.1), UNITS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
@pytest.mark.parametrize("name", ["plain", "none", "softcap", "all at once"])
@pytest.mark.parametrize("way", TRACED)
def test_every_way_compiled(way: str, name: str, kind: str) -> None:
    g = generator()
    x, y, options = logits(g), labels(kind, g), options_of(name, g)
    derive = EVERY[way]
    actual = compiled(derive(lambda x: sgt.cross_entropy(x, y, **options)))(x)
    assert_near(actual, derive(lambda x: definitions.cross_entropy(x, y, **options))(x), UNITS)
