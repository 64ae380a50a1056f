"""A network: layers one above the other, and a loss on top."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad.nn._arguments import Array, Seed, positive_integer
from softgrad.nn.layers import Layer
from softgrad.nn.losses import Loss
from softgrad.nn.optimizers import Optimizer
from softgrad.nn.saving import read_state, write_state
from softgrad.nn.training import Batches, History, progress_bar


class Network:
    """Layers one above the other, and a loss on top.

    Parameters
    ----------
    layers : sequence of Layer
        From the inputs up. Each is in one place of one network: it keeps what its `backward` needs.
    loss : Loss

    Attributes
    ----------
    layers : tuple of Layer
    loss_layer : Loss

    Raises
    ------
    TypeError
        Something among the layers is no `Layer`, or `loss` no `Loss`.
    ValueError
        There are no layers, or one occurs twice.

    Notes
    -----
    `backward` begins at the loss. Each layer gets the gradient by its outputs from above, works out those by its
    parameters, and hands the one by its inputs down to the layer below, whose outputs they are. No layer knows another.

    Examples
    --------
    >>> import numpy as np
    >>> from softgrad import nn
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.array([0, 1, 1, 0])
    >>> network = nn.Network([nn.Linear(2, 8, seed=0), nn.Tanh(), nn.Linear(8, 2, seed=1)], nn.SoftmaxLoss())
    >>> history = network.fit(X, y, optimizer=nn.SGD(lr=0.5, momentum=0.9), epochs=100)
    >>> network.predict(X).argmax(axis=1)
    array([0, 1, 1, 0])
    """

    def __init__(self, layers: Sequence[Layer], loss: Loss) -> None:
        self.layers = tuple(layers)
        self.loss_layer = loss
        if not self.layers:
            raise ValueError("layers is empty; a network has at least one")
        if not isinstance(loss, Loss):
            raise TypeError(f"loss is {loss!r}; it must be a Loss")
        for index, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers[{index}] is {layer!r}; it must be a Layer")
            first = next(place for place, other in enumerate(self.layers) if other is layer)
            if first < index:
                raise ValueError(f"layers[{index}] is layers[{first}] again; a layer has one place")
        for index, layer in enumerate(self.layers):
            layer.position = index

    def __repr__(self) -> str:
        return f"Network([{', '.join(map(repr, self.layers))}], {self.loss_layer!r})"

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters of all layers, under names such as "0.weight"; the arrays themselves.

        Examples
        --------
        >>> from softgrad import nn
        >>> list(nn.Network([nn.ReLU(), nn.Linear(2, 3, seed=0)], nn.Quadratic()).parameters)
        ['1.weight', '1.bias']
        """
        return self._named("parameters")

    @property
    def gradients(self) -> dict[str, Array]:
        """The gradients by the parameters, under the same names; the arrays themselves, zeros until `backward`.

        Examples
        --------
        >>> from softgrad import nn
        >>> nn.Network([nn.Linear(2, 1, seed=0)], nn.Quadratic()).gradients
        {'0.weight': array([[0., 0.]]), '0.bias': array([0.])}
        """
        return self._named("gradients")

    @property
    def state(self) -> dict[str, Array]:
        """The parameters and, under names such as "1.running_mean", the statistics; the arrays themselves.

        Examples
        --------
        >>> from softgrad import nn
        >>> list(nn.Network([nn.BatchNorm(2)], nn.Quadratic()).state)
        ['0.weight', '0.bias', '0.running_mean', '0.running_var']
        """
        return self._named("parameters") | self._named("statistics")

    def _named(self, kind: str) -> dict[str, Array]:
        return {
            f"{index}.{name}": array
            for index, layer in enumerate(self.layers)
            for name, array in getattr(layer, kind).items()
        }

    def train(self) -> None:
        """Put every layer into training mode, in which a network begins; `eval` takes them out of it.

        Examples
        --------
        >>> from softgrad import nn
        >>> network = nn.Network([nn.Dropout(0.5, seed=0)], nn.Quadratic())
        >>> network.eval()
        >>> network.forward([[1.0, 2.0, 3.0]])
        array([[1., 2., 3.]])
        >>> network.train()
        >>> network.forward([[1.0, 2.0, 3.0]])
        array([[2., 0., 0.]])
        """
        self._set_training([True] * len(self.layers))

    def eval(self) -> None:
        """Take every layer out of training mode: `Dropout` drops nothing, `BatchNorm` uses its running statistics."""
        self._set_training([False] * len(self.layers))

    def _set_training(self, modes: Sequence[bool]) -> None:
        for layer, training in zip(self.layers, modes, strict=True):
            layer.training = training

    @contextmanager
    def _mode(self, training: bool) -> Iterator[None]:
        before = [layer.training for layer in self.layers]
        self._set_training([training] * len(self.layers))
        try:
            yield
        finally:
            self._set_training(before)

    def forward(self, X: ArrayLike) -> Array:
        """The outputs of the top layer, in the mode that the layers are in.

        Parameters
        ----------
        X : array_like of float32 or float64
            One row per example, as the first layer takes them.

        Returns
        -------
        ndarray

        Raises
        ------
        TypeError, ValueError
            Inputs do not fit a layer; the message names it and the shapes.

        Examples
        --------
        >>> import numpy as np
        >>> from softgrad import nn
        >>> network = nn.Network([nn.ReLU(), nn.Linear(64, 32, seed=0)], nn.Quadratic())
        >>> network.forward(np.zeros((10, 64))).shape
        (10, 32)
        >>> network.forward(np.zeros((10, 63)))
        Traceback (most recent call last):
            ...
        ValueError: layer 1 (Linear(64, 32)) got inputs of shape (10, 63); it takes (n, 64)
        """
        self.loss_layer.forget()
        outputs = np.asarray(X)
        for layer in self.layers:
            outputs = layer.forward(outputs)
        return outputs

    def loss(self, X: ArrayLike, y: ArrayLike) -> float:
        """The loss on these rows, in the mode that the layers are in; `backward` may follow.

        Parameters
        ----------
        X : array_like
            As in `forward`.
        y : array_like
            The targets, as the loss takes them.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            Inputs do not fit a layer, or outputs and targets do not fit the loss.

        Examples
        --------
        >>> import numpy as np
        >>> from softgrad import nn
        >>> network = nn.Network([nn.Linear(2, 3, seed=0)], nn.SoftmaxLoss())
        >>> round(network.loss(np.zeros((5, 2)), [0, 1, 2, 0, 1]), 6)
        1.098612
        """
        return float(self.loss_layer.forward(self.forward(X), y))

    def backward(self) -> Array:
        """Work out the gradients of the last `loss`, from the top layer down.

        Returns
        -------
        ndarray, shape of the inputs
            The gradient by them. Those by the parameters are in `gradients`.

        Raises
        ------
        RuntimeError
            There was no `loss` before; `forward`, `predict` and `evaluate` let go of what it kept.

        Examples
        --------
        >>> import numpy as np
        >>> from softgrad import nn
        >>> network = nn.Network([nn.Linear(2, 2, seed=0)], nn.SoftmaxLoss())
        >>> loss = network.loss(np.zeros((1, 2)), [0])
        >>> gradient = network.backward()
        >>> network.gradients["0.bias"]
        array([-0.5,  0.5])
        """
        gradient = self.loss_layer.backward()
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient)
        return gradient

    def predict(self, X: ArrayLike) -> Array:
        """The outputs of the top layer, not in training mode; nothing is kept for `backward`.

        Parameters
        ----------
        X : array_like
            As in `forward`.

        Returns
        -------
        ndarray
            What the top layer gives: logits, unless it is `Softmax`.

        Examples
        --------
        >>> import numpy as np
        >>> from softgrad import nn
        >>> network = nn.Network([nn.Dropout(0.5, seed=0)], nn.Quadratic())
        >>> network.predict(np.ones((1, 3)))
        array([[1., 1., 1.]])
        """
        with self._mode(training=False):
            outputs = self.forward(X)
        self._forget()
        return outputs

    def _forget(self) -> None:
        self.loss_layer.forget()
        for layer in self.layers:
            layer.forget()

    def evaluate(self, X: ArrayLike, y: ArrayLike) -> tuple[float, float | None]:
        """Loss and accuracy on these rows, not in training mode; nothing is kept for `backward`.

        Parameters
        ----------
        X, y : array_like
            As in `loss`.

        Returns
        -------
        loss : float
        accuracy : float or None
            None where the loss has none.

        Examples
        --------
        >>> from softgrad import nn
        >>> network = nn.Network([nn.ReLU()], nn.Quadratic())
        >>> network.evaluate([[1.0, -1.0]], [[0.0, 0.0]])
        (0.5, None)
        """
        outputs = self.predict(X)
        loss = float(self.loss_layer.forward(outputs, y))
        self.loss_layer.forget()
        return loss, self.loss_layer.accuracy(outputs, y)

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        optimizer: Optimizer,
        epochs: int,
        batch_size: int | None = None,
        seed: Seed | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        progress: bool = False,
    ) -> History:
        """Train in training mode: a step of the optimizer after each batch. The mode is then what it was before.

        Parameters
        ----------
        X, y : array_like
            As in `loss`, one entry of `y` per row of `X`.
        optimizer : Optimizer
        epochs : int
            How often all rows are seen; at least 1.
        batch_size : int, optional
            Rows per step; the last batch of an epoch may have fewer. Left out, all rows make one batch, in their order.
        seed : int or numpy.random.Generator, optional
            Gives the order of the rows, another every epoch; needed if there is a `batch_size`. The same seeds here and
            in the layers give the same bits, as long as BLAS multiplies alike.
        validation : (X, y), optional
            Rows to evaluate on after each epoch.
        progress : bool, default False
            Whether a bar on stderr shows the epochs; needs rich.

        Returns
        -------
        History

        Raises
        ------
        FloatingPointError
            The loss of a batch is not finite; the message names epoch and batch. The parameters are those before it;
            the statistics of `BatchNorm` have followed it.
        ImportError
            A bar is asked for and rich is not there.
        TypeError, ValueError
            A number is out of range, `X` and `y` differ in length, or do not fit the network.

        Examples
        --------
        >>> import numpy as np
        >>> from softgrad import nn
        >>> X = np.linspace(-1.0, 1.0, 20).reshape(-1, 1)
        >>> network = nn.Network([nn.Linear(1, 1, seed=0)], nn.Quadratic())
        >>> history = network.fit(X, 3.0 * X - 1.0, optimizer=nn.SGD(lr=0.1), epochs=50, batch_size=4, seed=0)
        >>> network.parameters["0.weight"].round(2), network.parameters["0.bias"].round(2)
        (array([[3.]]), array([-1.]))
        """
        inputs, targets = _rows(X, y, "X", "y")
        checked = None if validation is None else _rows(*validation, "validation[0]", "validation[1]")
        positive_integer(epochs, "epochs")
        batches = Batches(len(inputs), batch_size, seed)
        history = History()
        with self._mode(training=True), progress_bar(epochs) if progress else nullcontext() as show:
            for epoch in range(1, epochs + 1):
                loss, accuracy = self._epoch(inputs, targets, batches, optimizer, f"epoch {epoch} of {epochs}")
                history.loss.append(loss)
                if accuracy is not None:
                    history.accuracy.append(accuracy)
                if checked is not None:
                    loss, accuracy = self.evaluate(*checked)
                    history.validation_loss.append(loss)
                    if accuracy is not None:
                        history.validation_accuracy.append(accuracy)
                if show is not None:
                    show(history)
        return history

    def _epoch(
        self, X: NDArray[Any], y: NDArray[Any], batches: Batches, optimizer: Optimizer, epoch: str
    ) -> tuple[float, float | None]:
        """One step per batch; loss and accuracy over all of them."""
        sizes, losses, accuracies = [], [], []
        for number, rows in enumerate(batches.epoch(), 1):
            inputs, targets = X[rows], y[rows]
            outputs = self.forward(inputs)
            loss = float(self.loss_layer.forward(outputs, targets))
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} in {epoch}, batch {number} of {len(batches)}")
            self.backward()
            optimizer.step(self)
            sizes.append(len(inputs))
            losses.append(loss)
            accuracies.append(self.loss_layer.accuracy(outputs, targets))
        known = [accuracy for accuracy in accuracies if accuracy is not None]
        mean_accuracy = float(np.average(known, weights=sizes)) if len(known) == len(sizes) else None
        return float(np.average(losses, weights=sizes)), mean_accuracy

    def save(self, path: str | PathLike[str]) -> None:
        """Write `state` to a file of the safetensors format; it appears whole or not at all.

        Parameters
        ----------
        path : str or path
            A file that is there is replaced.

        Raises
        ------
        ImportError
            safetensors is not there.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from softgrad import nn
        >>> network = nn.Network([nn.Linear(2, 3, seed=0), nn.ReLU()], nn.Quadratic())
        >>> other = nn.Network([nn.Linear(2, 3, seed=1), nn.ReLU()], nn.Quadratic())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     network.save(Path(folder) / "network.safetensors")
        ...     other.load(Path(folder) / "network.safetensors")
        >>> bool((other.predict([[1.0, 2.0]]) == network.predict([[1.0, 2.0]])).all())
        True
        """
        write_state(Path(path), [repr(layer) for layer in self.layers], self.state)

    def load(self, path: str | PathLike[str]) -> None:
        """Take over the state of a network of the same layers, bit for bit.

        Parameters
        ----------
        path : str or path
            What `save` wrote.

        Raises
        ------
        ImportError
            safetensors is not there.
        OSError
            The file cannot be read.
        ValueError
            The file is none of a network, damaged, or of other layers, shapes or dtypes; the message names the first.
            The network is unchanged then.

        Examples
        --------
        As in `save`.
        """
        descriptions, arrays = read_state(Path(path))
        state = self.state
        for layer, description in zip(self.layers, descriptions, strict=False):
            if description != repr(layer):
                raise ValueError(f"{path} does not fit: {layer.name} is {description} there")
        if len(descriptions) != len(self.layers):
            raise ValueError(f"{path} does not fit: it has {len(descriptions)} layers, the network {len(self.layers)}")
        if arrays.keys() != state.keys():
            raise ValueError(f"{path} does not fit: it holds {sorted(arrays)}, the network {sorted(state)}")
        for name, array in state.items():
            index, own = name.split(".", 1)
            here, there = f"{array.dtype} {array.shape}", f"{arrays[name].dtype} {arrays[name].shape}"
            if here != there:
                raise ValueError(
                    f"{path} does not fit: {own} of {self.layers[int(index)].name} is {here}, {there} there"
                )
        for name, array in state.items():
            array[...] = arrays[name]
        self._forget()


def _rows(X: ArrayLike, y: ArrayLike, first: str, second: str) -> tuple[NDArray[Any], NDArray[Any]]:
    inputs, targets = np.asarray(X), np.asarray(y)
    for array, name in ((inputs, first), (targets, second)):
        if array.ndim == 0 or len(array) == 0:
            raise ValueError(f"{name} has shape {array.shape}; it needs at least one row")
    if len(inputs) != len(targets):
        raise ValueError(f"{first} has {len(inputs)} rows and {second} has {len(targets)}; they must be as many")
    return inputs, targets
