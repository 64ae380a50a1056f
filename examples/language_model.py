"""A language model of Python's own documentation: a softmax over some 30,000 words.

The text is that of the docstrings of the standard library, read from the installation; a word is what stands between
spaces. The word that follows is predicted from the three before it: each has a vector for each place it may stand in,
and their sum meets the weights of every word of the vocabulary. `softgrad.linear_cross_entropy` gives the loss and the
gradients by that sum, the weights and the biases, in blocks of the logits. The steps are those of AdaGrad, which gives
rare words long steps. Every tenth docstring is held out.
"""

from __future__ import annotations

import ast
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

import softgrad as sg
from softgrad.examples._experiment import Array, Labels, Table, main

END = "<end>"
BEFORE, WIDTH = 3, 32
BATCH, EPOCHS, RATE, SEED = 1024, 3, 0.05, 0
HELD_OUT_EVERY = 10
PROMPTS = ("Return a new", "If the optional", "This module provides")
LIKELIEST = 5

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Text:
    """The words by their numbers; of each word that is predicted, those before it (n, BEFORE), and it itself (n,)."""

    words: list[str]
    before: Labels
    next: Labels
    held_out: NDArray[np.bool_]

    def part(self, held_out: bool) -> tuple[Labels, Labels]:
        chosen = self.held_out == held_out
        return self.before[chosen], self.next[chosen]


@dataclass(frozen=True)
class Model:
    """What is learned: vectors (BEFORE, V, WIDTH), weights (V, WIDTH), biases (V,)."""

    vectors: Numbers
    weight: Numbers
    bias: Numbers

    def hidden(self, before: Labels) -> Numbers:
        """The sums of vectors (n, WIDTH)."""
        return self.vectors[np.arange(BEFORE), before].sum(axis=1)

    def perplexity(self, before: Labels, following: Labels) -> float:
        """The exponential of the mean loss: among how many equally likely words the model is in doubt."""
        return float(np.exp(sg.linear_cross_entropy(self.hidden(before), self.weight, following, self.bias)))


@dataclass(frozen=True)
class LanguageModel:
    """Perplexities by epoch, that of word frequencies alone, and what follows the prompts: words and probabilities."""

    vocabulary: int
    predictions: int
    training: Array
    held_out: Array
    frequencies: float
    continuations: dict[str, list[tuple[str, float]]]

    def tables(self) -> list[Table]:
        return [
            Table(
                f"{self.predictions} words of documentation, a vocabulary of {self.vocabulary}; "
                f"held out, by the frequencies of words alone: perplexity {self.frequencies:.0f}",
                {"epoch": "d", "training perplexity": ".0f", "held out": ".0f"},
                [
                    (epoch, float(seen), float(unseen))
                    for epoch, (seen, unseen) in enumerate(zip(self.training, self.held_out, strict=True), 1)
                ],
            ),
            Table(
                "what follows, as the model has it",
                {"after": "", "likeliest words and their probabilities": ""},
                [
                    (prompt, ", ".join(f"{word} {p:.2f}" for word, p in found))
                    for prompt, found in self.continuations.items()
                ],
            ),
        ]

    def draw(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        epochs = np.arange(1, len(self.training) + 1)
        left.semilogy(epochs, self.training, marker="o", label="training, while it learns")
        left.semilogy(epochs, self.held_out, marker="o", label="held out")
        left.axhline(self.frequencies, color="black", linestyle="--", label="frequencies of words alone")
        left.set_ylim(0.7 * min(self.training), 2.5 * max(*self.training, self.frequencies))
        left.set_xticks(epochs)
        left.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        left.yaxis.set_major_formatter("{x:.0f}")
        left.yaxis.set_minor_locator(NullLocator())
        left.set_xlabel("epoch")
        left.set_ylabel("perplexity")
        left.set_title(f"A softmax over {self.vocabulary} words")
        left.legend(loc="upper right")
        left.grid(alpha=0.3)
        prompt, found = next(iter(self.continuations.items()))
        words, probabilities = zip(*reversed(found), strict=True)
        bars = right.barh(range(len(words)), probabilities, color="tab:blue")
        right.bar_label(bars, [f"{p:.2f}" for p in probabilities], padding=3)
        right.set_yticks(range(len(words)), words, parse_math=False)
        right.margins(x=0.15)
        right.set_xlabel("probability")
        right.set_ylabel("next word")
        right.set_title(f"After “{prompt}”")


def docstrings(folder: Path) -> Iterator[str]:
    """The docstrings of the modules, classes and functions below a folder, without tests and installed packages."""
    left_out = {"site-packages", "dist-packages", "test", "tests"}
    for file in sorted(folder.rglob("*.py")):
        if left_out.isdisjoint(file.relative_to(folder).parts):
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield ast.get_docstring(node) or ""


def read(texts: list[str]) -> Text:
    """Number the words, the frequent ones first, and note what stands before each. A text that repeats is read once."""
    split = [text.split() for text in dict.fromkeys(texts) if text]
    counts = Counter(word for words in split for word in words)
    words = [END, *(word for word, _ in counts.most_common())]
    numbers = {word: number for number, word in enumerate(words)}
    before, following, held_out = [], [], []
    for place, found in enumerate(split):
        line = [0] * BEFORE + [numbers[word] for word in found] + [0]
        following += line[BEFORE:]
        before += [line[i : i + BEFORE] for i in range(len(line) - BEFORE)]
        held_out += [place % HELD_OUT_EVERY == 0] * (len(line) - BEFORE)
    return Text(words, np.array(before), np.array(following), np.array(held_out))


def train(text: Text, epochs: int) -> tuple[Model, Array, Array]:
    """The model, and its perplexity on the words it learned from in each epoch, and on those held out after it."""
    rng = np.random.default_rng(SEED)
    before, following = text.part(held_out=False)
    size = len(text.words)
    logs = np.log(1.0 + np.bincount(following, minlength=size))
    model = Model(
        (0.1 * rng.standard_normal((BEFORE, size, WIDTH))).astype(np.float32),
        np.zeros((size, WIDTH), np.float32),
        (logs - logs.mean()).astype(np.float32),
    )
    by_weight, by_bias = np.empty_like(model.weight), np.empty_like(model.bias)
    squares = [np.full_like(each, 1e-8) for each in (model.vectors, model.weight, model.bias)]
    training, held_out = [], []
    for _ in range(epochs):
        total = 0.0
        order = rng.permutation(len(following))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            loss, gradients = sg.linear_cross_entropy.value_and_grad(
                model.hidden(before[rows]),
                model.weight,
                following[rows],
                model.bias,
                out=(None, by_weight, by_bias),
                reduction="sum",
            )
            total += float(loss)
            for place in range(BEFORE):
                step_of_rows(model.vectors[place], squares[0][place], before[rows, place], gradients.hidden)
            step(model.weight, squares[1], by_weight)
            step(model.bias, squares[2], by_bias)
        training.append(np.exp(total / len(order)))
        held_out.append(model.perplexity(*text.part(held_out=True)))
    return model, np.array(training), np.array(held_out)


def step(parameter: Numbers, squares: Numbers, gradient: Numbers) -> None:
    """A step of AdaGrad: the learning rate is divided by the root of the squares so far."""
    squares += gradient * gradient
    parameter -= RATE * gradient / np.sqrt(squares)


def step_of_rows(parameter: Numbers, squares: Numbers, rows: Labels, gradients: Any) -> None:
    """A step of AdaGrad for the rows that have a gradient; the gradients of one row are added up."""
    different, place = np.unique(rows, return_inverse=True)
    gradient = np.zeros((len(different), parameter.shape[1]), parameter.dtype)
    np.add.at(gradient, place, gradients)
    squares[different] += gradient * gradient
    parameter[different] -= RATE * gradient / np.sqrt(squares[different])


def continuations(text: Text, model: Model) -> dict[str, list[tuple[str, float]]]:
    """The likeliest words after each of `PROMPTS`."""
    numbers = {word: number for number, word in enumerate(text.words)}
    known = {prompt: prompt.split() for prompt in PROMPTS}
    found = {}
    for prompt, words in known.items():
        hidden = model.hidden(np.array([[numbers[word] for word in words]]))
        probabilities = sg.softmax(hidden @ model.weight.T + model.bias)[0]
        likeliest = np.argsort(-probabilities)[:LIKELIEST]
        found[prompt] = [(text.words[k], float(probabilities[k])) for k in likeliest]
    return found


def by_frequency(text: Text) -> float:
    """The perplexity of what is held out for a model that knows how often a word occurs, and no more."""
    counts = 1.0 + np.bincount(text.part(held_out=False)[1], minlength=len(text.words))
    return float(np.exp(-np.log(counts / counts.sum())[text.part(held_out=True)[1]].mean()))


def model_of(texts: list[str], epochs: int) -> LanguageModel:
    """Read, train, try."""
    text = read(texts)
    model, training, held_out = train(text, epochs)
    return LanguageModel(
        len(text.words), len(text.next), training, held_out, by_frequency(text), continuations(text, model)
    )


def run() -> LanguageModel:
    """Learn from the documentation of this Python's standard library."""
    return model_of(list(docstrings(Path(sysconfig.get_path("stdlib")))), EPOCHS)


if __name__ == "__main__":
    main(__file__, __doc__, run)
