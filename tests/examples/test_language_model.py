"""language-model: what is read, every step against plain NumPy, and that perplexity falls."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import numpy as np
import pytest

from softgrad.examples import language_model
from softgrad.examples.language_model import BEFORE, END, HELD_OUT_EVERY, RATE, SEED, WIDTH
from tests.examples.results import result_of

EPS32 = float(np.finfo(np.float32).eps)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))


def test_docstrings_of_modules_classes_and_functions(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        '"""One."""\nclass A:\n    """Two."""\n    def f(self):\n        """Three\n        lines."""\nx = """no"""\n'
    )
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.py").write_text('async def g():\n    """Four."""\ndef h(): pass\n')
    for left_out in ("test", "tests", "site-packages"):
        (tmp_path / "b" / left_out).mkdir()
        (tmp_path / "b" / left_out / "d.py").write_text('"""Left out."""\n')
    found = [text for text in language_model.docstrings(tmp_path) if text]
    assert found == ["One.", "Two.", "Three\nlines.", "Four."]


def test_words_and_what_stands_before_them() -> None:
    text = language_model.read(["to be or", "not to be", "to be or", "", "be"])
    assert text.words[0] == END
    assert text.words[1:3] == ["be", "to"]
    assert sorted(text.words[3:]) == ["not", "or"]
    assert BEFORE == 3
    read = [([text.words[k] for k in line], text.words[k]) for line, k in zip(text.before, text.next, strict=True)]
    # The text that repeats is there once.
    assert read == [
        ([END, END, END], "to"),
        ([END, END, "to"], "be"),
        ([END, "to", "be"], "or"),
        (["to", "be", "or"], END),
        ([END, END, END], "not"),
        ([END, END, "not"], "to"),
        ([END, "not", "to"], "be"),
        (["not", "to", "be"], END),
        ([END, END, END], "be"),
        ([END, END, "be"], END),
    ]
    assert text.held_out.tolist() == [True] * 4 + [False] * 6


def in_plain_numpy(text: language_model.Text, epochs: int, batch: int) -> tuple[np.ndarray, ...]:
    """The model of the experiment in float64, with its logits held and gradients by the textbook."""
    rng = np.random.default_rng(SEED)
    before, following = (each[~text.held_out] for each in (text.before, text.next))
    size = len(text.words)
    vectors = (0.1 * rng.standard_normal((BEFORE, size, WIDTH))).astype(np.float32).astype(np.float64)
    weight, squares = np.zeros((size, WIDTH)), [1e-8, 1e-8, 1e-8]
    logs = np.log(1.0 + np.bincount(following, minlength=size))
    bias = logs - logs.mean()
    perplexities = []
    for _ in range(epochs):
        order, total = rng.permutation(len(following)), 0.0
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            hidden = sum(vectors[place, before[rows, place]] for place in range(BEFORE))
            logits = hidden @ weight.T + bias
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            total -= np.log(p[np.arange(len(rows)), following[rows]]).sum()
            p[np.arange(len(rows)), following[rows]] -= 1.0
            by_hidden, by_vectors = p @ weight, np.zeros_like(vectors)
            for place in range(BEFORE):
                np.add.at(by_vectors[place], before[rows, place], by_hidden)
            for k, (parameter, gradient) in enumerate(
                ((vectors, by_vectors), (weight, p.T @ hidden), (bias, p.sum(axis=0)))
            ):
                squares[k] = squares[k] + gradient**2
                parameter -= RATE * gradient / np.sqrt(squares[k])
        perplexities.append(np.exp(total / len(order)))
    return np.array(perplexities), vectors, weight, bias


@pytest.fixture(scope="module")
def small() -> language_model.Text:
    """Some thousand words of the documentation of one package."""
    texts = [text for text in language_model.docstrings(STANDARD_LIBRARY / "email") if text]
    return language_model.read(texts[:160])


def test_every_step_against_plain_numpy(small: language_model.Text, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "BATCH", 500)
    model, training, _ = language_model.train(small, 2)
    perplexities, *parameters = in_plain_numpy(small, 2, 500)
    np.testing.assert_allclose(training, perplexities, rtol=256 * EPS32)
    for actual, expected in zip((model.vectors, model.weight, model.bias), parameters, strict=True):
        assert np.max(np.abs(expected)) > 0.1
        # A step that AdaGrad makes as long as the rate, of a gradient that is rounding.
        assert np.mean(np.abs(actual - expected) > 1e-3 * np.max(np.abs(expected))) < 1e-3


def test_a_small_model_learns(small: language_model.Text, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "BATCH", 100)
    monkeypatch.setattr(language_model, "RATE", 0.06)
    model, training, held_out = language_model.train(small, 3)
    assert np.all(np.diff(training) < 0.0)
    assert training[-1] < training[0] / 2
    # So small a text is soon known by heart: the best epoch is not the last.
    assert min(held_out) < 0.9 * language_model.by_frequency(small) < len(small.words)
    # The perplexity of what is held out, by the definition.
    before, following = small.part(held_out=True)
    assert 0.5 / HELD_OUT_EVERY < len(following) / len(small.next) < 2.0 / HELD_OUT_EVERY
    logits = model.hidden(before).astype(np.float64) @ model.weight.T + model.bias
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = np.exp(-logs[np.arange(len(following)), following].mean())
    np.testing.assert_allclose(held_out[-1], expected, rtol=32 * EPS32)


@pytest.mark.slow
def test_perplexity_falls_epoch_by_epoch_over_a_large_vocabulary() -> None:
    result = result_of("language-model")
    assert result.vocabulary >= 20_000
    assert result.predictions >= 200_000
    assert len(result.training) == len(result.held_out) == language_model.EPOCHS
    assert np.all(np.diff(result.training) < 0.0)
    assert np.all(np.diff(result.held_out) < 0.0)
    assert result.held_out[-1] < result.frequencies / 2
    assert list(result.continuations) == list(language_model.PROMPTS)
    for found in result.continuations.values():
        probabilities = [p for _, p in found]
        assert probabilities == sorted(probabilities, reverse=True)
        # Some word is much likelier here than it is on the whole.
        assert 0.03 < probabilities[0] <= sum(probabilities) <= 1.0
