"""What makes a step of a gradient: gradient descent with momentum, and Adam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from softgrad.nn._arguments import Array, fraction, positive


class Trainable(Protocol):
    """What an optimizer works on: a network or a single layer."""

    @property
    def parameters(self) -> Mapping[str, Array]: ...

    @property
    def gradients(self) -> Mapping[str, Array]: ...


class Optimizer:
    """What all optimizers have in common; the base of one's own.

    One of one's own defines ``_update(parameter, gradient)``, which changes the parameter in place.

    Parameters
    ----------
    lr : float
        The learning rate; positive and finite. It may be changed between steps.
    weight_decay : float, default 0
        Times the parameter, it is added to the gradient: the gradient of an L2 penalty
        ``weight_decay / 2 * |parameter|^2`` on every parameter, biases too, as in PyTorch. Finite and not negative.

    Raises
    ------
    ValueError
        A number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from softgrad import nn
    >>> class SignDescent(nn.Optimizer):
    ...     def _update(self, parameter, gradient):
    ...         parameter -= self.lr * np.sign(gradient)
    >>> layer = nn.Linear(1, 1, seed=0)
    >>> before = layer.parameters["bias"].copy()
    >>> layer.gradients["bias"][...] = 123.0
    >>> SignDescent(lr=0.5).step(layer)
    >>> layer.parameters["bias"] - before
    array([-0.5])
    """

    def __init__(self, lr: float, *, weight_decay: float = 0.0) -> None:
        if not 0.0 <= weight_decay < np.inf:
            raise ValueError(f"weight_decay is {weight_decay}; it must be finite and not negative")
        self.lr, self.weight_decay = positive(lr, "lr"), float(weight_decay)
        self._memory: dict[int, tuple[Array, dict[str, Any]]] = {}

    def step(self, network: Trainable) -> None:
        """Change every parameter in place by its gradient.

        Parameters
        ----------
        network : Network or Layer

        Examples
        --------
        >>> from softgrad import nn
        >>> layer = nn.Linear(1, 1, seed=0)
        >>> outputs = layer.forward([[1.0]])
        >>> gradient = layer.backward([[2.0]])
        >>> nn.SGD(lr=0.25).step(layer)
        >>> layer.forward([[1.0]]) - outputs
        array([[-1.]])
        """
        for name, parameter in network.parameters.items():
            gradient = network.gradients[name]
            if self.weight_decay:
                gradient = gradient + self.weight_decay * parameter
            self._update(parameter, gradient)

    def _state(self, parameter: Array) -> dict[str, Any]:
        """What is remembered of this array, by name; empty at first."""
        # The array is held beside it, so that its id is not given to another.
        return self._memory.setdefault(id(parameter), (parameter, {}))[1]

    def _update(self, parameter: Array, gradient: Array) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define _update")


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    The velocity becomes momentum * velocity + gradient, from 0, and lr times it is subtracted from the parameter: the
    convention of PyTorch. Velocities belong to the arrays of the parameters, so that one optimizer may be used again to
    go on training, or for several networks.

    Parameters
    ----------
    lr : float
        The learning rate; positive and finite.
    momentum : float, default 0
        In [0, 1).
    weight_decay : float, default 0
        An L2 penalty on every parameter, as in `Optimizer`.

    Raises
    ------
    ValueError
        A number is out of range.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.Linear(1, 1, seed=0, bias=False)
    >>> layer.parameters["weight"][...] = 1.0
    >>> layer.gradients["weight"][...] = 2.0
    >>> optimizer = nn.SGD(lr=0.1, momentum=0.5)
    >>> for step in range(2):
    ...     optimizer.step(layer)
    ...     print(round(float(layer.parameters["weight"].item()), 12))
    0.8
    0.5
    """

    def __init__(self, lr: float, *, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay=weight_decay)
        self.momentum = fraction(momentum, "momentum")

    def __repr__(self) -> str:
        return f"SGD(lr={self.lr}, momentum={self.momentum}, weight_decay={self.weight_decay})"

    def _update(self, parameter: Array, gradient: Array) -> None:
        if self.momentum:
            state = self._state(parameter)
            if not state:
                state["velocity"] = np.zeros_like(parameter)
            velocity = state["velocity"]
            velocity *= self.momentum
            velocity += gradient
            gradient = velocity
        parameter -= self.lr * gradient


class Adam(Optimizer):
    """Steps whose length follows the running mean and square of each component of the gradient.

    Parameters
    ----------
    lr : float, default 0.001
        The learning rate, about the length of a step in each component; positive and finite.
    betas : tuple of two floats, default (0.9, 0.999)
        The fractions that the old mean and the old square keep; in [0, 1).
    eps : float, default 1e-8
        Added to the root of the mean square; positive and finite.
    weight_decay : float, default 0
        An L2 penalty on every parameter, as in `Optimizer`: PyTorch's Adam, not its AdamW.

    Raises
    ------
    ValueError
        A number is out of range.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.Linear(2, 1, seed=0, bias=False)
    >>> layer.parameters["weight"][...] = 0.0
    >>> layer.gradients["weight"][...] = [[100.0, -0.01]]
    >>> nn.Adam(lr=0.1).step(layer)
    >>> layer.parameters["weight"].round(6)
    array([[-0.1,  0.1]])
    """

    def __init__(
        self,
        lr: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay=weight_decay)
        first, second = betas
        self.betas = fraction(first, "betas[0]"), fraction(second, "betas[1]")
        self.eps = positive(eps, "eps")

    def __repr__(self) -> str:
        return f"Adam(lr={self.lr}, betas={self.betas}, eps={self.eps}, weight_decay={self.weight_decay})"

    def _update(self, parameter: Array, gradient: Array) -> None:
        state = self._state(parameter)
        if not state:
            state.update(steps=0, mean=np.zeros_like(parameter), square=np.zeros_like(parameter))
        state["steps"] += 1
        keep_mean, keep_square = self.betas
        mean, square = state["mean"], state["square"]
        mean += (1.0 - keep_mean) * (gradient - mean)
        square += (1.0 - keep_square) * (gradient**2 - square)
        # Both began at 0; divided by the weights they hold so far, they are means.
        mean = mean / (1.0 - keep_mean ** state["steps"])
        square = square / (1.0 - keep_square ** state["steps"])
        parameter -= self.lr * mean / (np.sqrt(square) + self.eps)
