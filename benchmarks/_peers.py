"""The peers behind one face. Each does what its users would write, on arrays of its own, given to it untimed.

Functions have the names of softgrad's; "output" stands behind one that is given that of the function itself. The array
functions and these get `out`, an array they may write to: NumPy and PyTorch do; SciPy and JAX cannot write into a given
array, and their results are new ones, as they are for their users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from benchmarks._contender import Contender

Array = NDArray[Any]


@dataclass(frozen=True)
class Peer:
    """What a library does, by name, and how arrays go in and come out."""

    functions: Mapping[str, Callable[..., Any]]
    given: Callable[[Array], Any] = lambda array: array
    taken: Callable[[Any], Array] = np.asarray

    def contender(self, function: str, inputs: Sequence[tuple[Array | None, ...]], **options: Any) -> Contender:
        call = self.functions[function]
        own = [tuple(None if array is None else self.given(array) for array in arrays) for arrays in inputs]
        return Contender([partial(call, *arrays, **options) for arrays in own], read=self._read)

    def _read(self, result: Any) -> Any:
        return tuple(map(self.taken, result)) if isinstance(result, tuple) else self.taken(result)


def _numpy() -> Peer:
    def log_partition(x: Array, axis: int) -> tuple[Array, Array]:
        shifted = x - x.max(axis=axis, keepdims=True)
        return shifted, np.log(np.exp(shifted).sum(axis=axis, keepdims=True))

    def softmax(x: Array, out: Array | None, *, axis: int) -> Array:
        out = np.subtract(x, x.max(axis=axis, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(axis=axis, keepdims=True)
        return out

    def log_softmax(x: Array, out: Array | None, *, axis: int) -> Array:
        return np.subtract(*log_partition(x, axis), out=out)

    def logsumexp(x: Array, _out: Array | None, *, axis: int) -> Array:
        return (x.max(axis=axis, keepdims=True) + log_partition(x, axis)[1]).squeeze(axis)

    def value_and_grad(logits: Array, labels: Array, *, axis: int) -> tuple[Any, Array]:
        gradient = softmax(logits, None, axis=axis)
        index = np.expand_dims(labels, axis)
        at_label = np.take_along_axis(gradient, index, axis)
        np.put_along_axis(gradient, index, at_label - 1, axis)
        gradient /= labels.size
        return -np.log(at_label).mean(), gradient

    return Peer(
        {
            "softmax": softmax,
            "log_softmax": log_softmax,
            "logsumexp": logsumexp,
            "cross_entropy.value_and_grad": value_and_grad,
        }
    )


def _scipy() -> Peer:
    from scipy import special

    def writes_nowhere(function: Callable[..., Array]) -> Callable[..., Array]:
        return lambda x, _out, *, axis: function(x, axis=axis)

    return Peer({name: writes_nowhere(getattr(special, name)) for name in ("softmax", "log_softmax", "logsumexp")})


def _torch() -> Peer:
    import torch
    from torch.nn import functional

    torch.set_num_threads(2)

    def given(x: Array) -> torch.Tensor:
        if x.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(x)

    def taken(y: torch.Tensor) -> Array:
        y = y.detach()
        return y.float().numpy() if y.dtype == torch.bfloat16 else y.numpy()

    def axis_last_or_second(logits: torch.Tensor, axis: int) -> None:
        if axis % logits.ndim != 1:
            raise ValueError(f"PyTorch's cross_entropy has its classes along axis 1, not {axis}")

    def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, *, axis: int) -> torch.Tensor:
        axis_last_or_second(logits, axis)
        with torch.no_grad():
            return functional.cross_entropy(logits, labels)

    def value_and_grad(logits: torch.Tensor, labels: torch.Tensor, *, axis: int) -> tuple[torch.Tensor, ...]:
        axis_last_or_second(logits, axis)
        logits = logits.detach().requires_grad_()
        loss = functional.cross_entropy(logits, labels)
        return loss, *torch.autograd.grad(loss, logits)

    def softmax_vjp(x: torch.Tensor, cotangent: torch.Tensor, *, axis: int) -> torch.Tensor:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(torch.softmax(x, axis), x, cotangent)[0]

    softmax_backward = torch.ops.aten._softmax_backward_data.out
    log_softmax_backward = torch.ops.aten._log_softmax_backward_data.out

    def linear(
        hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, **options: Any
    ) -> tuple[torch.Tensor, ...]:
        hidden, weight = hidden.detach().requires_grad_(), weight.detach().requires_grad_()
        loss = functional.linear_cross_entropy(hidden, weight, labels, **options)
        return loss, *torch.autograd.grad(loss, (hidden, weight))

    functions: dict[str, Callable[..., Any]] = {
        "copy": lambda target, source: target.copy_(source),
        "softmax": lambda x, out, *, axis: torch.softmax(x, axis, out=out),
        "log_softmax": lambda x, out, *, axis: torch.log_softmax(x, axis, out=out),
        "logsumexp": lambda x, out, *, axis: torch.logsumexp(x, axis, out=out),
        "softmax.vjp": softmax_vjp,
        "softmax.vjp, output": lambda output, cotangent, out, *, axis: softmax_backward(
            cotangent, output, axis, output.dtype, grad_input=out
        ),
        "log_softmax.vjp, output": lambda output, cotangent, out, *, axis: log_softmax_backward(
            cotangent, output, axis, output.dtype, out=out
        ),
        "cross_entropy": cross_entropy,
        "cross_entropy.value_and_grad": value_and_grad,
    }
    # Since PyTorch 2.13.
    if hasattr(functional, "linear_cross_entropy"):
        functions["linear_cross_entropy.value_and_grad"] = linear
        functions["linear_cross_entropy.value_and_grad, chunked"] = partial(
            linear, options=torch.nn.LinearCrossEntropyOptions()
        )
    return Peer(functions, given, taken)


def _jax() -> Peer:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        jitted = jax.jit(function, static_argnames="axis")
        return lambda *arrays, axis: jax.block_until_ready(jitted(*arrays, axis=axis))

    def array_function(function: Callable[..., jax.Array]) -> Callable[..., Any]:
        call = compiled(function)
        return lambda *arrays_and_out, axis: call(*arrays_and_out[:-1], axis=axis)

    def cross_entropy(logits: jax.Array, labels: jax.Array, *, axis: int) -> jax.Array:
        if jax.numpy.issubdtype(labels.dtype, jax.numpy.integer):
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels, axis=axis).mean()
        return optax.softmax_cross_entropy(logits, labels, axis=axis).mean()

    def softmax_vjp(x: jax.Array, cotangent: jax.Array, *, axis: int) -> jax.Array:
        return jax.vjp(lambda x: jax.nn.softmax(x, axis=axis), x)[1](cotangent)[0]

    def softmax_vjp_of_output(p: jax.Array, cotangent: jax.Array, *, axis: int) -> jax.Array:
        return (cotangent - (cotangent * p).sum(axis, keepdims=True)) * p

    def log_softmax_vjp_of_output(y: jax.Array, cotangent: jax.Array, *, axis: int) -> jax.Array:
        return cotangent - jax.numpy.exp(y) * cotangent.sum(axis, keepdims=True)

    def linear(hidden: jax.Array, weight: jax.Array, labels: jax.Array) -> jax.Array:
        return cross_entropy(hidden @ weight.T, labels, axis=-1)

    linear_gradients = jax.jit(jax.value_and_grad(linear, (0, 1)))

    def linear_value_and_grad(*arrays: jax.Array) -> tuple[jax.Array, ...]:
        loss, gradients = jax.block_until_ready(linear_gradients(*arrays))
        return loss, *gradients

    def hvp(logits: jax.Array, labels: jax.Array, vector: jax.Array, *, axis: int) -> jax.Array:
        return jax.jvp(lambda x: jax.grad(cross_entropy)(x, labels, axis=axis), (logits,), (vector,))[1]

    return Peer(
        {
            "softmax": array_function(jax.nn.softmax),
            "log_softmax": array_function(jax.nn.log_softmax),
            "logsumexp": array_function(jax.nn.logsumexp),
            "softmax.vjp": compiled(softmax_vjp),
            "softmax.vjp, output": array_function(softmax_vjp_of_output),
            "log_softmax.vjp, output": array_function(log_softmax_vjp_of_output),
            "cross_entropy": compiled(cross_entropy),
            "cross_entropy.value_and_grad": compiled(jax.value_and_grad(cross_entropy)),
            "cross_entropy.hvp": compiled(hvp),
            "linear_cross_entropy.value_and_grad": linear_value_and_grad,
        },
        jax.numpy.asarray,
        np.asarray,
    )


# How each is loaded, and the packages it needs.
PEERS: dict[str, tuple[Callable[[], Peer], tuple[str, ...]]] = {
    "NumPy": (_numpy, ("numpy",)),
    "SciPy": (_scipy, ("scipy",)),
    "PyTorch": (_torch, ("torch",)),
    "JAX": (_jax, ("jax", "optax")),
}


def installed(packages: Sequence[str]) -> bool:
    return all(find_spec(package) for package in packages)


def load() -> tuple[dict[str, Peer], list[str]]:
    """The peers that are installed, and the names of those that are not."""
    found = {name: loader() for name, (loader, packages) in PEERS.items() if installed(packages)}
    return found, [name for name in PEERS if name not in found]
