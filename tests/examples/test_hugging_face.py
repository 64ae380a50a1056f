"""hugging-face: patched or not a model learns the same, and patched it takes less memory."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import numpy as np
import pytest

import softgrad.torch as sgt
from softgrad.examples import hugging_face
from softgrad.examples.language_model import docstrings, read
from tests.examples.results import result_of

EPS32 = float(np.finfo(np.float32).eps)


def test_both_trainings_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WIDTH": 16, "LAYERS": 1, "ROWS": 2, "LENGTH": 32, "RATE": 0.01}.items():
        monkeypatch.setattr(hugging_face, name, value)
    calls = []
    patch = sgt.patch
    monkeypatch.setattr(sgt, "patch", lambda model: calls.append(patch(model)))
    text = read([text for text in docstrings(Path(sysconfig.get_path("stdlib")) / "email") if text])
    plain, patched = (hugging_face.train(text.next, len(text.words), 8, patched) for patched in (False, True))
    assert len(calls) == 1
    assert len(plain.losses) == len(patched.losses) == len(plain.seconds) == 8
    assert 0.9 < plain.losses[0] / np.log(len(text.words)) < 1.1
    assert plain.losses[-1] < plain.losses[0]
    # A step of AdamW is as long for a gradient that is rounding.
    np.testing.assert_allclose(patched.losses, plain.losses, rtol=1024 * EPS32)


@pytest.mark.slow
def test_less_memory_for_the_same_losses() -> None:
    result = result_of("hugging-face")
    assert result.vocabulary >= 20_000
    plain, patched = result.trainings["plain"], result.trainings["patched"]
    logits = 4 * hugging_face.ROWS * hugging_face.LENGTH * result.vocabulary
    assert plain.memory > 2 * logits
    assert patched.memory < plain.memory / 2
    np.testing.assert_allclose(patched.losses, plain.losses, rtol=1024 * EPS32)
    assert plain.losses[-1] < 0.9 * plain.losses[0]
    assert min(*plain.seconds, *patched.seconds) > 0.0
