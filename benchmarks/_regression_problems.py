"""The data sets of the question `regression`, each drawn from a seed; and the objective, written out with SciPy."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logsumexp

C = 1.0


@dataclass(frozen=True)
class Problem:
    """X (n, d), dense or CSR, float64; y (n,), classes from 0."""

    X: Any
    y: NDArray[np.intp]

    @property
    def n_classes(self) -> int:
        return int(self.y.max()) + 1

    def objective(self, coef: NDArray[Any], intercept: NDArray[Any]) -> float:
        """The mean loss plus the penalty in the same unit, for coefficients of all classes."""
        n = len(self.y)
        total = 0.0
        for start in range(0, n, 10_000):
            part = slice(start, start + 10_000)
            logits = self.X[part] @ coef.T + intercept
            labels = self.y[part]
            total += float(np.sum(logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]))
        return total / n + float(np.sum(coef**2)) / (2 * C * n)


def _drawn_labels(rng: np.random.Generator, logits: NDArray[Any]) -> NDArray[np.intp]:
    """From the softmax model of the logits; every class occurs."""
    y: NDArray[np.intp] = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    y[: logits.shape[1]] = np.arange(logits.shape[1])
    return y


def correlated(rng: np.random.Generator, rows: int, features: int, classes: int) -> Problem:
    """Mixtures of as many factors as features, whose strengths fall as a power law, as those of images do."""
    mixing = rng.standard_normal((features, features)) * np.arange(1, features + 1) ** -0.75
    X = rng.standard_normal((rows, features)) @ mixing.T
    X /= X.std(axis=0)
    return Problem(X, _drawn_labels(rng, X @ rng.standard_normal((features, classes)) * 0.15))


def terrain(rng: np.random.Generator, rows: int) -> Problem:
    """Ten measured features in units of their own and 44 rare flags, as in scikit-learn's covertype."""
    spread = np.array([300, 100, 7, 200, 60, 1500, 27, 20, 38, 1300.0])
    middle = np.array([2900, 155, 14, 270, 46, 2350, 212, 223, 142, 1980.0])
    measured = rng.standard_normal((rows, 10)) @ (np.eye(10) + 0.5 * rng.standard_normal((10, 10)))
    flags = (rng.random((rows, 44)) < np.logspace(-3, -0.5, 44)).astype(np.float64)
    weight = rng.standard_normal((54, 7)) * np.append(np.full(10, 0.5), np.ones(44))[:, None]
    y = _drawn_labels(rng, np.hstack([measured, flags]) @ weight + 2.0 * rng.standard_normal(7))
    return Problem(np.hstack([measured * spread + middle, flags]), y)


def ill_conditioned(rng: np.random.Generator, rows: int) -> Problem:
    """300 features whose singular values span six orders of magnitude, in no direction of the axes."""
    rotation = np.linalg.qr(rng.standard_normal((300, 300)))[0]
    X = (rng.standard_normal((rows, 300)) * np.logspace(0, -6, 300)) @ rotation.T * np.sqrt(300)
    return Problem(X, _drawn_labels(rng, X @ rng.standard_normal((300, 10))))


def blobs(rng: np.random.Generator, rows: int, features: int, classes: int) -> Problem:
    """Clouds so far apart that a plane lies between any two."""
    centres = rng.uniform(-10.0, 10.0, (classes, features))
    y = np.arange(rows) % classes
    return Problem(centres[y] + rng.standard_normal((rows, features)), y)


def skewed(rng: np.random.Generator, rows: int, features: int, classes: int) -> Problem:
    """Features in units that span six orders of magnitude."""
    X = rng.standard_normal((rows, features))
    y = _drawn_labels(rng, X @ rng.standard_normal((features, classes)))
    return Problem(X * np.logspace(-3, 3, features), y)


def dependent(rng: np.random.Generator, rows: int, features: int, classes: int) -> Problem:
    """Half of the features are combinations of the others."""
    own = rng.standard_normal((rows, features // 2))
    X = np.hstack([own, own @ rng.standard_normal((features // 2, features - features // 2))])
    return Problem(X, _drawn_labels(rng, own @ rng.standard_normal((features // 2, classes)) * 0.3))


def words(rng: np.random.Generator, rows: int, features: int, classes: int, length: int = 125) -> Problem:
    """Counts of words whose frequencies follow Zipf's law, weighted as tf-idf; a tenth of the labels at random."""
    frequencies = 1.0 / np.arange(1, features + 1) ** 1.05
    y = rng.integers(0, classes, rows)
    lengths = rng.poisson(length - 5, rows) + 5
    at_row, at_word = [], []
    for label in range(classes):
        own = frequencies * np.exp(rng.standard_normal(features))
        members = np.flatnonzero(y == label)
        at_row.append(np.repeat(members, lengths[members]))
        at_word.append(rng.choice(features, size=lengths[members].sum(), p=own / own.sum()))
    # scikit-learn takes no others than 32-bit indices.
    where = (np.concatenate(at_row).astype(np.int32), np.concatenate(at_word).astype(np.int32))
    counts = sparse.csr_array((np.ones(len(where[0])), where), shape=(rows, features))
    counts.sum_duplicates()
    random = rng.random(rows) < 0.1
    y[random] = rng.integers(0, classes, random.sum())
    return Problem(_tf_idf(counts), y)


def _tf_idf(counts: Any) -> Any:
    rows = counts.shape[0]
    documents = np.bincount(counts.indices, minlength=counts.shape[1])
    X = sparse.csr_array(counts, dtype=np.float64)
    X.data = (1.0 + np.log(X.data)) * (np.log((1 + rows) / (1 + documents)) + 1.0)[X.indices]
    lengths = np.sqrt(X.multiply(X).sum(axis=1))
    return sparse.csr_array(sparse.diags_array(1.0 / np.maximum(lengths, 1e-300)) @ X)


def many_classes(rng: np.random.Generator, rows: int, features: int, classes: int) -> Problem:
    """Clouds around as many centres as there are classes, that overlap."""
    centres = rng.standard_normal((classes, features))
    y = np.arange(rows) % classes
    noise = rng.standard_normal((rows, features)) @ (np.eye(features) + 0.1 * rng.standard_normal((features, features)))
    return Problem(0.35 * centres[y] + noise, y)


def source_lines(modules: int, features: int) -> Problem:
    """The lines of the standard library's largest modules, hashed; the class of a line is its module."""
    from sklearn.feature_extraction.text import HashingVectorizer

    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"), key=lambda path: (-path.stat().st_size, path.name))
    lines, y = [], []
    for label, path in enumerate(files[:modules]):
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        lines += kept
        y += [label] * len(kept)
    hashed = HashingVectorizer(n_features=features, token_pattern=r"\w+|[^\w\s]", alternate_sign=False, norm=None)
    return Problem(_tf_idf(sparse.csr_array(hashed.transform(lines))), np.array(y))


def toy(name: str, *, scaled: bool) -> Problem:
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if scaled:
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return Problem(X, y)


Draw = Callable[[np.random.Generator], Problem]

_TOYS: dict[str, Draw] = {
    f"{name}, {'scaled' if scaled else 'raw'}": lambda _rng, name=name, scaled=scaled: toy(name, scaled=scaled)  # type: ignore[misc]
    for name in ("digits", "wine", "breast_cancer")
    for scaled in (False, True)
}


def problems() -> dict[str, Draw]:
    """All of them by name."""
    return _TOYS | {
        "dense 60000 x 784 x 10, correlated": lambda rng: correlated(rng, 60_000, 784, 10),
        "dense 500000 x 54 x 7": lambda rng: terrain(rng, 500_000),
        "ill-conditioned 20000 x 300 x 10": lambda rng: ill_conditioned(rng, 20_000),
        "blobs 25000 x 80 x 12": lambda rng: blobs(rng, 25_000, 80, 12),
        "skewed 6000 x 30 x 6": lambda rng: skewed(rng, 6000, 30, 6),
        "dependent 16000 x 240 x 8": lambda rng: dependent(rng, 16_000, 240, 8),
        "dense 5000 x 160 x 500": lambda rng: many_classes(rng, 5000, 160, 500),
        "sparse 20000 x 50000 x 20": lambda rng: words(rng, 20_000, 50_000, 20),
        "sparse 15000 x 25000 x 9": lambda rng: words(rng, 15_000, 25_000, 9),
        "sparse 9000 x 24000 x 12, short rows": lambda rng: words(rng, 9000, 24_000, 12, length=24),
        "dense 30000 x 512 x 1000": lambda rng: many_classes(rng, 30_000, 512, 1000),
        f"sparse, source lines of 60 modules of Python {sys.version_info[0]}.{sys.version_info[1]}": lambda _rng: (
            source_lines(60, 1 << 16)
        ),
    }
