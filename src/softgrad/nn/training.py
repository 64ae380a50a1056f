"""What a training consists of: its batches, its record, and the bar that shows how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from softgrad.nn._arguments import Seed, positive_integer


@dataclass
class History:
    """What `Network.fit` saw, one entry per epoch.

    Attributes
    ----------
    loss : list of float
        The mean over the rows, each taken before the step of its batch and in training mode.
    accuracy : list of float
        The same of the accuracy; empty where the loss has none.
    validation_loss, validation_accuracy : list of float
        On the validation rows after the epoch, not in training mode; empty without them.

    Examples
    --------
    >>> import numpy as np
    >>> from softgrad import nn
    >>> network = nn.Network([nn.Linear(1, 2, seed=0)], nn.SoftmaxLoss())
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> history = network.fit(X, y, optimizer=nn.SGD(lr=1.0), epochs=20, validation=(X, y))
    >>> len(history.loss), history.loss[-1] < 0.1 < history.loss[0], history.validation_accuracy[-1]
    (20, True, 1.0)
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)


class Batches:
    """The indices of the rows of each batch; in a new random order every epoch, unless one batch has them all."""

    def __init__(self, rows: int, batch_size: int | None, seed: Seed | None) -> None:
        self._rows = rows
        self._batch_size = None if batch_size is None else positive_integer(batch_size, "batch_size")
        if batch_size is not None and seed is None:
            raise ValueError(f"batch_size is {batch_size} and seed is None; a seed gives the order of the rows")
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return 1 if self._batch_size is None else -(-self._rows // self._batch_size)

    def epoch(self) -> Iterator[NDArray[np.intp] | slice]:
        if self._batch_size is None:
            yield slice(None)
            return
        order = self._rng.permutation(self._rows)
        for start in range(0, self._rows, self._batch_size):
            yield order[start : start + self._batch_size]


@contextmanager
def progress_bar(epochs: int) -> Iterator[Callable[[History], None]]:
    """A bar on stderr; what it yields is called after each epoch."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError as error:
        raise ImportError('progress=True needs rich: pip install "softgrad[nn]"') from error
    columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=epochs)

        def show(history: History) -> None:
            latest = f"loss {history.loss[-1]:.4g}"
            if history.validation_loss:
                latest += f", validation {history.validation_loss[-1]:.4g}"
            progress.update(task, advance=1, description=latest)

        yield show
