"""softgrad and its peers behind one face: a name of a quantity, an input, a result in the dtype of the input.

A peer is used as its users use it: its own softmax, its own cross-entropy, its own automatic derivative.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
ValueAndGradient = Callable[[NDArray[Any], Labels], tuple[NDArray[Any], NDArray[Any]]]
# What each is called and what it is imported as.
PEERS = {"SciPy": "scipy", "PyTorch": "torch", "JAX": "jax"}


class Library:
    """Array functions by name, and losses of rows with their gradients; None for what a library has not."""

    def __init__(self, functions: dict[str, Callable[[NDArray[Any]], Any]], loss: ValueAndGradient | None) -> None:
        self.functions = functions
        self.value_and_gradient = loss


def _softgrad() -> Library:
    import softgrad as sg

    names = ("softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid")

    def loss(x: NDArray[Any], labels: Labels) -> tuple[NDArray[Any], NDArray[Any]]:
        return sg.cross_entropy.value_and_grad(x, labels, reduction="none")

    return Library({name: getattr(sg, name) for name in names}, loss)


def _scipy() -> Library:
    from scipy import special

    # It knows bfloat16 only by way of float64, and what it gives in another dtype is rounded to that of the input.
    return Library(
        {
            "softmax": lambda x: special.softmax(x, axis=-1),
            "log_softmax": lambda x: special.log_softmax(x, axis=-1),
            "logsumexp": lambda x: special.logsumexp(x, axis=-1),
            "sigmoid": special.expit,
            "log_sigmoid": special.log_expit,
        },
        None,
    )


def _torch() -> Library:
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)

    def given(x: NDArray[Any]) -> torch.Tensor:
        if x.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(x)

    def taken(y: torch.Tensor) -> NDArray[Any]:
        if y.dtype == torch.bfloat16:
            return y.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return y.numpy()

    def loss(x: NDArray[Any], labels: Labels) -> tuple[NDArray[Any], NDArray[Any]]:
        logits = given(x.copy()).requires_grad_()
        losses = functional.cross_entropy(logits, torch.from_numpy(labels), reduction="none")
        (gradient,) = torch.autograd.grad(losses.sum(), logits)
        return taken(losses.detach()), taken(gradient)

    functions = {
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
        "logsumexp": lambda x: torch.logsumexp(x, -1),
        "sigmoid": torch.sigmoid,
        "log_sigmoid": functional.logsigmoid,
    }
    return Library({name: lambda x, f=f: taken(f(given(x))) for name, f in functions.items()}, loss)


def _jax() -> Library:
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")

    def row_losses(x: jax.Array, labels: jax.Array) -> jax.Array:
        return -jax.numpy.take_along_axis(jax.nn.log_softmax(x, axis=-1), labels[:, None], axis=-1)[:, 0]

    gradient = jax.grad(lambda x, labels: row_losses(x, labels).sum())

    def loss(x: NDArray[Any], labels: Labels) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.asarray(row_losses(x, labels)), np.asarray(gradient(x, labels))

    functions = {
        "softmax": lambda x: jax.nn.softmax(x, axis=-1),
        "log_softmax": lambda x: jax.nn.log_softmax(x, axis=-1),
        "logsumexp": lambda x: jax.nn.logsumexp(x, axis=-1),
        "sigmoid": jax.nn.sigmoid,
        "log_sigmoid": jax.nn.log_sigmoid,
    }
    return Library({name: lambda x, f=f: np.asarray(f(jax.numpy.asarray(x))) for name, f in functions.items()}, loss)


LOADERS = {"softgrad": _softgrad, "SciPy": _scipy, "PyTorch": _torch, "JAX": _jax}


def load(name: str) -> Library:
    # What a peer warns of (an overflow, a subnormal) is measured here.
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    return LOADERS[name]()


def installed_peers() -> list[str]:
    return [name for name, module in PEERS.items() if find_spec(module)]
