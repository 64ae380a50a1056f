"""The losses on top of a network, each the mean over the rows, and where the gradient begins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad.losses import binary_cross_entropy, cross_entropy, quadratic
from softgrad.nn._arguments import Array


class Loss:
    """What all losses have in common; the base of one's own.

    A loss of one's own defines ``_value_and_grad(outputs, targets)``, which returns the mean over the rows and its
    gradient by the outputs, and, if it is about classes, ``accuracy``.

    Examples
    --------
    >>> import numpy as np
    >>> from softgrad import nn
    >>> class Absolute(nn.Loss):
    ...     def _value_and_grad(self, outputs, targets):
    ...         distance = outputs - targets
    ...         return np.abs(distance).sum() / len(outputs), np.sign(distance) / len(outputs)
    >>> loss = Absolute()
    >>> float(loss.forward([[1.0], [5.0]], [[0.0], [8.0]])), loss.backward()
    (2.0, array([[ 0.5],
           [-0.5]]))
    """

    def __init__(self) -> None:
        self._gradient: Array | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def forward(self, outputs: ArrayLike, targets: ArrayLike) -> Any:
        """The mean of the losses of the rows; the gradient is kept for `backward`.

        Parameters
        ----------
        outputs : array_like of float32 or float64, one row per example
        targets : array_like
            As the loss says.

        Returns
        -------
        NumPy scalar, dtype of `outputs`

        Raises
        ------
        TypeError, ValueError
            The targets do not fit, as the message says, or there are no rows.

        Examples
        --------
        >>> from softgrad import nn
        >>> float(nn.Quadratic().forward([[1.0, 3.0]], [[0.0, 1.0]]))
        2.5
        """
        self.forget()
        a = np.asarray(outputs)
        if a.ndim == 0 or len(a) == 0:
            raise ValueError(f"{self!r} got outputs of shape {a.shape}; it needs at least one row")
        loss, self._gradient = self._value_and_grad(a, np.asarray(targets))
        return loss

    def backward(self) -> Array:
        """The gradient of the last `forward` by the outputs.

        Returns
        -------
        ndarray, shape and dtype of the outputs

        Raises
        ------
        RuntimeError
            There was no `forward` before, or what it kept was forgotten.

        Examples
        --------
        >>> from softgrad import nn
        >>> loss = nn.Quadratic()
        >>> value = loss.forward([[1.0, 3.0]], [[0.0, 1.0]])
        >>> loss.backward()
        array([[1., 2.]])
        """
        if self._gradient is None:
            raise RuntimeError(f"{self!r} has no forward to go back through; backward follows forward")
        return self._gradient

    def forget(self) -> None:
        """Let go of what the last `forward` kept; `backward` is an error until the next.

        Examples
        --------
        >>> from softgrad import nn
        >>> loss = nn.Quadratic()
        >>> value = loss.forward([[1.0]], [[0.0]])
        >>> loss.forget()
        >>> loss.backward()
        Traceback (most recent call last):
            ...
        RuntimeError: Quadratic() has no forward to go back through; backward follows forward
        """
        self._gradient = None

    def accuracy(self, outputs: Array, targets: ArrayLike) -> float | None:  # noqa: ARG002
        """The fraction of rows whose class is found; None where there is no such thing.

        Parameters
        ----------
        outputs, targets
            As in `forward`.

        Returns
        -------
        float or None

        Examples
        --------
        >>> import numpy as np
        >>> from softgrad import nn
        >>> nn.SoftmaxLoss().accuracy(np.array([[0.0, 1.0], [2.0, 1.0]]), [1, 1])
        0.5
        >>> nn.Quadratic().accuracy(np.array([[0.0, 1.0]]), [[0.0, 1.0]]) is None
        True
        """
        return None

    def _value_and_grad(self, outputs: Array, targets: NDArray[Any]) -> tuple[Any, Array]:
        raise NotImplementedError(f"{type(self).__name__} does not define _value_and_grad")


class Quadratic(Loss):
    """Half the squared distance of each row to its target, 1/2 sum_j (a_j - y_j)^2; `softgrad.quadratic`.

    Targets are of the shape of the outputs.

    Examples
    --------
    >>> from softgrad import nn
    >>> loss = nn.Quadratic()
    >>> float(loss.forward([[1.0, 3.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]))
    1.5
    >>> loss.backward()
    array([[ 0.5,  1. ],
           [ 0. , -0.5]])
    """

    def _value_and_grad(self, outputs: Array, targets: NDArray[Any]) -> tuple[Any, Array]:
        return quadratic.value_and_grad(outputs, targets)


class SoftmaxLoss(Loss):
    """Softmax and the negative log-likelihood in one, on logits; `softgrad.cross_entropy`.

    Outputs are (n, K). Targets are class indices, shape (n,), of an integer dtype, or target probabilities, shape
    (n, K), of a floating one. With class indices the accuracy is the fraction of rows whose largest logit, the first of
    equals, is the target's.

    Examples
    --------
    >>> from softgrad import nn
    >>> loss = nn.SoftmaxLoss()
    >>> float(loss.forward([[2.0, 3.0, 4.0]], [1]).round(4))
    1.4076
    >>> loss.backward().round(4)
    array([[ 0.09  , -0.7553,  0.6652]])
    """

    def _value_and_grad(self, outputs: Array, targets: NDArray[Any]) -> tuple[Any, Array]:
        return cross_entropy.value_and_grad(outputs, targets)

    def accuracy(self, outputs: Array, targets: ArrayLike) -> float | None:
        return _fraction_of_largest(outputs, np.asarray(targets))


class MultinomialLogistic(Loss):
    """The negative log-likelihood of class indices under probabilities, -log p_t, as the textbook has it.

    Outputs are probabilities, (n, K), from a `Softmax` layer below; targets are class indices, shape (n,), of an
    integer dtype. The gradient is -1 / p_t at the target and 0 elsewhere. Where the probability of the target is 0, the
    loss is inf and the gradient -inf (from a probability so small that 1 / p_t overflows, too), and the layer below
    makes NaN of it: `SoftmaxLoss` does not lose it. Where p_t is
    near 1, its rounding is all that is left of the loss. The accuracy is that of `SoftmaxLoss`.

    Raises
    ------
    TypeError
        `forward` was given targets of another dtype.
    ValueError
        `forward` was given shapes that do not fit, or a class out of range, which the message names.

    Examples
    --------
    >>> from softgrad import nn
    >>> loss = nn.MultinomialLogistic()
    >>> float(loss.forward([[0.25, 0.75], [1.0, 0.0]], [0, 0]).round(4))
    0.6931
    >>> loss.backward()
    array([[-2. ,  0. ],
           [-0.5,  0. ]])
    """

    def _value_and_grad(self, outputs: Array, targets: NDArray[Any]) -> tuple[Any, Array]:
        self._check(outputs, targets)
        rows = np.arange(len(outputs))
        p = outputs[rows, targets]
        gradient = np.zeros_like(outputs)
        # A probability of 0, or too small for its reciprocal, is no accident here but what the layer is known for.
        with np.errstate(divide="ignore", over="ignore"):
            gradient[rows, targets] = -1.0 / p / len(outputs)
            return np.mean(-np.log(p)), gradient

    def _check(self, outputs: Array, targets: NDArray[Any]) -> None:
        if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
            raise ValueError(
                f"{self!r} got outputs of shape {outputs.shape} and targets of shape {targets.shape}; "
                "it takes (n, K) and (n,)"
            )
        if targets.dtype.kind not in "iu":
            raise TypeError(f"targets have dtype {targets.dtype}; {self!r} takes class indices of an integer dtype")
        classes = outputs.shape[1]
        outside = np.flatnonzero((targets < 0) | (targets >= classes))
        if outside.size:
            row = outside[0]
            raise ValueError(f"targets[{row}] is {targets[row]}; outputs have {classes} classes (0 to {classes - 1})")

    def accuracy(self, outputs: Array, targets: ArrayLike) -> float | None:
        return _fraction_of_largest(outputs, np.asarray(targets))


class BinaryCrossEntropy(Loss):
    """Sigmoid and the negative log-likelihood in one, on logits; `softgrad.binary_cross_entropy`.

    Targets are of the shape of the outputs: probabilities of the positive class, in [0, 1]. The loss of a row is the
    sum over its logits. Where all targets are 0 or 1, the accuracy is the fraction of logits on the side of their
    target, 0 being on the side of 0.

    Examples
    --------
    >>> from softgrad import nn
    >>> loss = nn.BinaryCrossEntropy()
    >>> float(loss.forward([[0.0], [40.0]], [[1], [1]]).round(6))
    0.346574
    >>> loss.backward()
    array([[-2.50000000e-01],
           [-2.12417713e-18]])
    """

    def _value_and_grad(self, outputs: Array, targets: NDArray[Any]) -> tuple[Any, Array]:
        return binary_cross_entropy.value_and_grad(outputs, targets, normalizer=float(len(outputs)))

    def accuracy(self, outputs: Array, targets: ArrayLike) -> float | None:
        y = np.asarray(targets)
        if not np.all((y == 0) | (y == 1)):
            return None
        return float(np.mean((outputs > 0.0) == (y == 1)))


def _fraction_of_largest(outputs: Array, targets: NDArray[Any]) -> float | None:
    if targets.dtype.kind not in "iu":
        return None
    return float(np.mean(outputs.argmax(axis=-1) == targets))
