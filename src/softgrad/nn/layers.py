"""The layers: each gives its outputs, and hands the gradient down from its outputs to its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from softgrad.functional import sigmoid, softmax
from softgrad.nn._arguments import DTYPES, Array, Seed, dtype_of, fraction, positive, positive_integer


class Layer:
    """What all layers have in common; the base of one's own.

    A layer of one's own defines ``_forward(x)``, which returns the outputs and whatever ``_backward(kept, gradient)``
    needs of them; that returns the gradient by x and writes those by the parameters into `gradients`.

    Parameters
    ----------
    **parameters : ndarray
        What is trained, by name.

    Attributes
    ----------
    parameters, gradients : dict of str to ndarray
        The parameters, and the gradient of the loss by each under the same name: zeros until the first `backward`.
        The arrays stay the same ones; optimizers and `backward` write into them.
    statistics : dict of str to ndarray
        What is kept with the parameters but not trained. Empty but for `BatchNorm`.
    training : bool
        Whether the layer is being trained (True at first); it matters to `Dropout` and `BatchNorm`.
    position : int or None
        The place in a network, which error messages name.

    Examples
    --------
    >>> import numpy as np
    >>> from softgrad import nn
    >>> class Square(nn.Layer):
    ...     def _forward(self, x):
    ...         return x * x, x
    ...
    ...     def _backward(self, kept, gradient):
    ...         return 2.0 * kept * gradient
    >>> layer = Square()
    >>> layer.forward([[3.0, -1.0]]), layer.backward([[1.0, 1.0]])
    (array([[9., 1.]]), array([[ 6., -2.]]))
    """

    def __init__(self, **parameters: Array) -> None:
        self.parameters = parameters
        self.gradients = {name: np.zeros_like(parameter) for name, parameter in parameters.items()}
        self.statistics: dict[str, Array] = {}
        self.training = True
        self.position: int | None = None
        self._kept: tuple[Any, Array] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def name(self) -> str:
        """The layer as error messages call it: with its index, if it is in a network."""
        return repr(self) if self.position is None else f"layer {self.position} ({self!r})"

    def forward(self, x: ArrayLike) -> Array:
        """The outputs; what `backward` needs is kept.

        Parameters
        ----------
        x : array_like of float32 or float64; integers are taken as float64
            Not copied: it must not change before `backward`.

        Returns
        -------
        ndarray, dtype of `x`

        Raises
        ------
        TypeError, ValueError
            The layer takes no inputs of this dtype or shape; the message names the layer and both.

        Examples
        --------
        >>> from softgrad import nn
        >>> nn.ReLU().forward([[-1.0, 2.0]])
        array([[0., 2.]])
        """
        self.forget()
        inputs = np.asarray(x)
        if inputs.dtype.kind in "iu":
            inputs = inputs.astype(np.float64)
        if inputs.dtype not in DTYPES:
            raise TypeError(f"{self.name} got inputs of dtype {inputs.dtype}; it takes float32 or float64")
        outputs, kept = self._forward(inputs)
        self._kept = kept, outputs
        return outputs

    def backward(self, gradient: ArrayLike) -> Array:
        """From the gradient of the loss by the outputs: those by the parameters, and, returned, that by the inputs.

        Parameters
        ----------
        gradient : array_like, shape of the outputs of the last `forward`
            Taken in their dtype.

        Returns
        -------
        ndarray, shape and dtype of the inputs
            `gradients` are overwritten, not added to.

        Raises
        ------
        RuntimeError
            There was no `forward` before, or what it kept was forgotten.
        ValueError
            The gradient has another shape than the outputs.

        Examples
        --------
        >>> from softgrad import nn
        >>> layer = nn.ReLU()
        >>> outputs = layer.forward([[-1.0, 2.0]])
        >>> layer.backward([[5.0, 5.0]])
        array([[0., 5.]])
        """
        if self._kept is None:
            raise RuntimeError(f"{self.name} has no forward to go back through; backward follows forward")
        kept, outputs = self._kept
        g = np.asarray(gradient, outputs.dtype)
        if g.shape != outputs.shape:
            raise ValueError(f"{self.name} got a gradient of shape {g.shape}; its outputs have {outputs.shape}")
        return self._backward(kept, g)

    def forget(self) -> None:
        """Let go of what the last `forward` kept; `backward` is an error until the next.

        Examples
        --------
        >>> from softgrad import nn
        >>> layer = nn.Tanh()
        >>> outputs = layer.forward([[0.5]])
        >>> layer.forget()
        >>> layer.backward([[1.0]])
        Traceback (most recent call last):
            ...
        RuntimeError: Tanh() has no forward to go back through; backward follows forward
        """
        self._kept = None

    def _forward(self, x: Array) -> tuple[Array, Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define _forward")

    def _backward(self, kept: Any, gradient: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not define _backward")

    def _check_rows(self, x: Array, features: int) -> None:
        """For layers whose parameters fit rows of one length and one dtype."""
        if x.ndim != 2 or x.shape[1] != features:
            raise ValueError(f"{self.name} got inputs of shape {x.shape}; it takes (n, {features})")
        dtype = self.parameters["weight"].dtype
        if x.dtype != dtype:
            raise TypeError(f"{self.name} got inputs of dtype {x.dtype}; its parameters are {dtype}")


class Linear(Layer):
    """Every output a weighted sum of all inputs, x W^T + b.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of a row of inputs and of outputs; at least 1.
    seed : int or numpy.random.Generator
        What the weights are drawn from: normal numbers of variance 2 / in_features, drawn in float64. The biases
        start at 0.
    bias : bool, default True
        Whether there is a bias b.
    dtype : float64 (default) or float32
        Of the parameters; the inputs must have it too.

    Attributes
    ----------
    parameters : dict
        "weight", shape (out_features, in_features), and "bias", shape (out_features,).

    Raises
    ------
    TypeError
        `dtype` is another; `in_features` or `out_features` is no integer.
    ValueError
        `in_features` or `out_features` is less than 1.

    Notes
    -----
    Inputs are (n, in_features), outputs (n, out_features). With g the gradient by the outputs, that by W is g^T x, by b
    the sum of the rows of g, by x it is g W.

    References
    ----------
    He et al., "Delving deep into rectifiers", 2015: with this variance a layer of `ReLU` after each keeps the scale of
    its inputs.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.Linear(2, 1, seed=0)
    >>> layer.parameters["weight"][...] = [[3.0, -1.0]]
    >>> layer.forward([[1.0, 2.0]])
    array([[1.]])
    >>> layer.backward([[10.0]])
    array([[ 30., -10.]])
    >>> layer.gradients
    {'weight': array([[10., 20.]]), 'bias': array([10.])}
    """

    def __init__(
        self, in_features: int, out_features: int, *, seed: Seed, bias: bool = True, dtype: DTypeLike = np.float64
    ) -> None:
        self.in_features = positive_integer(in_features, "in_features")
        self.out_features = positive_integer(out_features, "out_features")
        kind = dtype_of(dtype)
        normal = np.random.default_rng(seed).standard_normal((out_features, in_features))
        weight = (np.sqrt(2.0 / in_features) * normal).astype(kind)
        super().__init__(weight=weight, **({"bias": np.zeros(out_features, kind)} if bias else {}))

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}{'' if 'bias' in self.parameters else ', bias=False'})"

    def _forward(self, x: Array) -> tuple[Array, Array]:
        self._check_rows(x, self.in_features)
        outputs = x @ self.parameters["weight"].T
        if "bias" in self.parameters:
            outputs += self.parameters["bias"]
        return outputs, x

    def _backward(self, kept: Array, gradient: Array) -> Array:
        self.gradients["weight"][...] = gradient.T @ kept
        if "bias" in self.gradients:
            self.gradients["bias"][...] = gradient.sum(axis=0, dtype=np.float64)
        return gradient @ self.parameters["weight"]


class Sigmoid(Layer):
    """1 / (1 + exp(-x)) of each element; any shape.

    Its gradient does not cancel where the sigmoid is near 1.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.Sigmoid()
    >>> layer.forward([[0.0, 40.0]])
    array([[0.5, 1. ]])
    >>> layer.backward([[1.0, 1.0]])
    array([[2.50000000e-01, 4.24835426e-18]])
    """

    def _forward(self, x: Array) -> tuple[Array, Array]:
        return sigmoid(x), x

    def _backward(self, kept: Array, gradient: Array) -> Array:
        return sigmoid.vjp(kept, gradient)


class Tanh(Layer):
    """The hyperbolic tangent of each element; any shape.

    Its gradient does not cancel where the tangent is near 1 or -1.

    Notes
    -----
    tanh(x) = 2 sigmoid(2 x) - 1, so that its derivative 1 - tanh(x)^2 is 4 times that of the sigmoid at 2 x.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.Tanh()
    >>> layer.forward([[0.0, 20.0]])
    array([[0., 1.]])
    >>> layer.backward([[1.0, 1.0]])
    array([[1.0000000e+00, 1.6993417e-17]])
    """

    def _forward(self, x: Array) -> tuple[Array, Array]:
        return np.tanh(x), x

    def _backward(self, kept: Array, gradient: Array) -> Array:
        return 4.0 * sigmoid.vjp(2.0 * kept, gradient)


class ReLU(Layer):
    """max(x, 0) of each element; any shape.

    At 0, where there is no derivative, 0 is taken for it. NaN gives NaN.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.ReLU()
    >>> layer.forward([[-1.0, 0.0, 2.0]])
    array([[0., 0., 2.]])
    >>> layer.backward([[5.0, 5.0, 5.0]])
    array([[0., 0., 5.]])
    """

    def _forward(self, x: Array) -> tuple[Array, Array]:
        return np.maximum(x, 0.0), x

    def _backward(self, kept: Array, gradient: Array) -> Array:
        return np.where(kept <= 0.0, 0.0, gradient)


class Softmax(Layer):
    """The softmax of each row, along the last axis.

    Under `MultinomialLogistic` it is the textbook's top of a classifier; `SoftmaxLoss` is both in one and keeps the
    digits that they lose.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.Softmax()
    >>> layer.forward([[0.0, 0.0]])
    array([[0.5, 0.5]])
    >>> layer.backward([[0.0, 2.0]])
    array([[-0.5,  0.5]])
    """

    def _forward(self, x: Array) -> tuple[Array, Array]:
        return softmax(x), x

    def _backward(self, kept: Array, gradient: Array) -> Array:
        return softmax.vjp(kept, gradient)


class Dropout(Layer):
    """In training each element is 0 with probability p, else divided by 1 - p; otherwise nothing happens.

    Parameters
    ----------
    p : float
        In [0, 1).
    seed : int or numpy.random.Generator
        What the elements are chosen by: the same seed, the same choices, in float32 and float64 alike.

    Raises
    ------
    ValueError
        `p` is out of range.

    References
    ----------
    Srivastava et al., "Dropout", 2014, here with the scaling in training ("inverted").

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.Dropout(0.5, seed=0)
    >>> layer.forward([[1.0, 2.0, 3.0, 4.0]])
    array([[2., 0., 0., 0.]])
    >>> layer.backward([[1.0, 1.0, 1.0, 1.0]])
    array([[2., 0., 0., 0.]])
    >>> layer.training = False
    >>> layer.forward([[1.0, 2.0, 3.0, 4.0]])
    array([[1., 2., 3., 4.]])
    """

    def __init__(self, p: float, *, seed: Seed) -> None:
        super().__init__()
        self.p = fraction(p, "p")
        self._rng = np.random.default_rng(seed)

    def __repr__(self) -> str:
        return f"Dropout({self.p})"

    def _forward(self, x: Array) -> tuple[Array, NDArray[np.bool_] | None]:
        stays = self._rng.random(x.shape) >= self.p if self.training else None
        return self._scaled(x, stays), stays

    def _backward(self, kept: NDArray[np.bool_] | None, gradient: Array) -> Array:
        return self._scaled(gradient, kept)

    def _scaled(self, x: Array, stays: NDArray[np.bool_] | None) -> Array:
        return x if stays is None else np.where(stays, x / (1.0 - self.p), 0.0)


class BatchNorm(Layer):
    """Each feature brought to mean 0 and variance 1, then to a scale and a shift that are learnt.

    In training the mean and the variance are those of the rows at hand, and the running ones follow them; otherwise the
    running ones are used.

    Parameters
    ----------
    features : int
        Length of a row; at least 1.
    momentum : float, default 0.1
        The fraction of a new mean or variance in the running one; in (0, 1].
    eps : float, default 1e-5
        Added to the variance; positive.
    dtype : float64 (default) or float32
        Of parameters and statistics; the inputs must have it too.

    Attributes
    ----------
    parameters : dict
        "weight" (ones at first) and "bias" (zeros at first), shape (features,).
    statistics : dict
        "running_mean" (zeros at first) and "running_var" (ones at first), shape (features,). The running variance
        follows the unbiased one, with n - 1 below, as in PyTorch; rows are normalised by the biased one.

    Raises
    ------
    TypeError
        `dtype` is another; `features` is no integer.
    ValueError
        `features`, `momentum` or `eps` is out of range.

    Notes
    -----
    Inputs are (n, features), in training with n at least 2. Means, variances and the gradient are worked out in
    float64. With h the normalised rows and g their gradient, that by x is (g - mean(g) - h mean(g h)) / sqrt(var + eps)
    in training, where x moves mean and variance too, and g / sqrt(var + eps) otherwise.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", 2015.

    Examples
    --------
    >>> from softgrad import nn
    >>> layer = nn.BatchNorm(1, eps=1e-12)
    >>> layer.forward([[1.0], [5.0]])
    array([[-1.],
           [ 1.]])
    >>> layer.statistics
    {'running_mean': array([0.3]), 'running_var': array([1.7])}
    """

    def __init__(
        self, features: int, *, momentum: float = 0.1, eps: float = 1e-5, dtype: DTypeLike = np.float64
    ) -> None:
        self.features = positive_integer(features, "features")
        if not 0.0 < momentum <= 1.0:
            raise ValueError(f"momentum is {momentum}; it must be in (0, 1]")
        self.momentum, self.eps = float(momentum), positive(eps, "eps")
        kind = dtype_of(dtype)
        super().__init__(weight=np.ones(features, kind), bias=np.zeros(features, kind))
        self.statistics = {"running_mean": np.zeros(features, kind), "running_var": np.ones(features, kind)}

    def __repr__(self) -> str:
        return f"BatchNorm({self.features}, momentum={self.momentum}, eps={self.eps})"

    def _forward(self, x: Array) -> tuple[Array, tuple[Array, Array, bool]]:
        self._check_rows(x, self.features)
        if self.training:
            if len(x) < 2:
                raise ValueError(f"{self.name} got inputs of shape {x.shape}; in training it needs at least 2 rows")
            mean = x.mean(axis=0, dtype=np.float64)
            centred = x - mean
            variance = np.mean(centred**2, axis=0)
            self._follow("running_mean", mean)
            self._follow("running_var", variance * (len(x) / (len(x) - 1)))
        else:
            centred = x - self.statistics["running_mean"].astype(np.float64)
            variance = self.statistics["running_var"].astype(np.float64)
        scale = 1.0 / np.sqrt(variance + self.eps)
        normalised = centred * scale
        outputs = normalised * self.parameters["weight"] + self.parameters["bias"]
        return outputs.astype(x.dtype), (normalised, scale, self.training)

    def _follow(self, name: str, value: Array) -> None:
        self.statistics[name] += self.momentum * (value - self.statistics[name])

    def _backward(self, kept: tuple[Array, Array, bool], gradient: Array) -> Array:
        normalised, scale, of_these_rows = kept
        self.gradients["weight"][...] = np.sum(gradient * normalised, axis=0)
        self.gradients["bias"][...] = gradient.sum(axis=0, dtype=np.float64)
        g = gradient * self.parameters["weight"].astype(np.float64)
        if of_these_rows:
            g = g - g.mean(axis=0) - normalised * np.mean(g * normalised, axis=0)
        return (g * scale).astype(gradient.dtype)
