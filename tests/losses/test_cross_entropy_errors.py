"""What cross_entropy refuses: the culprit is named, and nothing is written."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.oracles.bounds import EPS, FLOAT64, LOSS

X = np.arange(12.0).reshape(4, 3) % 5
LABELS = np.array([0, 1, 2, 0])
Q = np.eye(3)[LABELS]


def refuse(error, match, logits=X, labels=LABELS, **options):
    """Both ways to call fail alike; logits and out are as before."""
    logits_before = np.array(logits)
    plain = {name: value for name, value in options.items() if name not in ("upstream", "out")}
    if plain == options:
        with pytest.raises(error, match=match):
            sg.cross_entropy(logits, labels, **options)
    out = options.pop("out", np.full(np.shape(logits), 7.0))
    out_before = np.array(out)
    with pytest.raises(error, match=match):
        sg.cross_entropy.value_and_grad(logits, labels, out=out, **options)
    np.testing.assert_array_equal(np.array(out), out_before)
    np.testing.assert_array_equal(np.array(logits), logits_before)


def test_label_out_of_range():
    refuse(ValueError, r"labels\[1\] is 3; logits have 3 classes \(0 to 2\)", labels=[0, 3, 2, 0])
    refuse(ValueError, r"labels\[3\] is -1; logits have 3 classes \(0 to 2\)", labels=[0, 1, 2, -1])
    refuse(ValueError, r"labels\[0\] is 7", labels=[7, 8, 9, 10])
    refuse(ValueError, r"labels\[2\] is 18446744073709551615", labels=np.array([0, 1, 2**64 - 1, 0], np.uint64))
    refuse(ValueError, r"labels\[2\] is 9223372036854775808", labels=np.array([0, 1, 2**63, 0], np.uint64))
    refuse(ValueError, r"labels\[1\] is -9223372036854775808", labels=[0, -(2**63), 0, 0])


def test_label_out_of_range_in_several_dimensions():
    labels = np.zeros((17, 3, 5), int)
    labels[11, 2, 4] = 50257
    match = r"labels\[11, 2, 4\] is 50257; logits have 6 classes \(0 to 5\)"
    refuse(ValueError, match, logits=np.zeros((17, 3, 5, 6)), labels=labels)
    refuse(ValueError, match, logits=np.zeros((17, 6, 3, 5)), labels=labels, axis=1)


def test_label_of_a_single_row_out_of_range():
    refuse(ValueError, r"labels is 4; logits have 3 classes \(0 to 2\)", logits=X[0], labels=4)


def test_label_out_of_range_beside_an_ignored_one():
    refuse(ValueError, r"labels\[2\] is -2", labels=[0, -1, -2, 0], ignore_index=-1)
    refuse(ValueError, r"labels\[2\] is 9", labels=[0, -1, 9, 0], ignore_index=-1)


def test_in_place_logits_survive_a_bad_label():
    logits = X.copy()
    with pytest.raises(ValueError, match=r"labels\[3\] is 3"):
        sg.cross_entropy.value_and_grad(logits, [0, 1, 2, 3], out=logits)
    np.testing.assert_array_equal(logits, X)


@pytest.mark.parametrize("options", [{}, {"z_loss": 0.1}, {"softcap": 2.0, "reduction": "none"}], ids=str)
def test_every_derivative_names_a_bad_label_before_it_writes(options):
    """In the last of several blocks of rows."""
    x, labels = np.zeros((4000, 64)), np.zeros(4000, int)
    labels[3999] = 64
    match = r"^labels\[3999\] is 64; logits have 64 classes \(0 to 63\)$"
    out = np.full(x.shape, 7.0)
    for call in (
        lambda: sg.cross_entropy.grad(x, labels, out=out, **options),
        lambda: sg.cross_entropy.jvp(x, labels, x, **options),
        lambda: sg.cross_entropy.jvp(x.astype(np.float32), labels, x, **options),
        lambda: sg.cross_entropy.hvp(x, labels, x, out=out, **options),
        lambda: sg.cross_entropy.hessian_diagonal(x, labels, **options),
        lambda: sg.cross_entropy.hessian(x, labels, **options),
    ):
        with pytest.raises(ValueError, match=match) as caught:
            call()
        # What the core says of it, without a name, is no part of the message.
        assert caught.value.__context__ is None
    assert np.all(out == 7.0)


def test_losses_in_blocks_name_a_bad_label_before_they_write():
    x, labels = np.zeros((4000, 64)), np.zeros(4000, int)
    labels[3999] = 64
    match = r"^labels\[3999\] is 64; logits have 64 classes \(0 to 63\)$"
    out = np.full(x.shape, 7.0)
    with pytest.raises(ValueError, match=match):
        sg.focal.value_and_grad(x, labels, out=out)
    assert np.all(out == 7.0)
    hidden, weight = np.ones((4000, 2)), np.ones((64, 2))
    places = np.full(hidden.shape, 7.0), np.full(weight.shape, 7.0), None
    with pytest.raises(ValueError, match=match):
        sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, out=places, block_bytes=100 * 64 * 8)
    assert np.all(places[0] == 7.0)
    assert np.all(places[1] == 7.0)


@pytest.mark.parametrize("labels", [[0, 1, 2], [[0, 1, 2, 0]], [[0], [1], [2], [0]], 0], ids=str)
def test_index_labels_of_the_wrong_shape(labels):
    refuse(ValueError, r"labels has shape \(.*\); .*\(4,\)", labels=labels)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (3, 4), (1, 3), (4, 3, 1), ()], ids=str)
def test_probabilities_of_the_wrong_shape(shape):
    refuse(ValueError, r"labels has shape \(.*\); .*\(4, 3\)", labels=np.zeros(shape))


@pytest.mark.parametrize("labels", [Q.astype(complex), LABELS.astype(object), LABELS > 0, ["a", "b", "c", "a"]])
def test_labels_of_the_wrong_type(labels):
    refuse(TypeError, "labels has dtype", labels=labels)


@pytest.mark.parametrize("logits", [X.astype(complex), X.astype(object), X.astype(str)])
def test_logits_of_the_wrong_type(logits):
    with pytest.raises(TypeError, match="logits has dtype"):
        sg.cross_entropy(logits, LABELS)
    with pytest.raises(TypeError, match="logits has dtype"):
        sg.cross_entropy.value_and_grad(logits, LABELS)


def test_an_axis_out_of_range():
    for axis in (2, -3, (0, 2)):
        refuse(np.exceptions.AxisError, "axis", axis=axis)
    refuse(np.exceptions.AxisError, "axis", logits=np.float64(1.0), labels=0)


@pytest.mark.parametrize("kind", [LABELS, Q], ids=["indices", "probabilities"])
def test_class_weights(kind):
    refuse(ValueError, r"class_weight\[1\] is -0.5", labels=kind, class_weight=[1.0, -0.5, 1.0])
    refuse(ValueError, r"class_weight\[2\] is nan", labels=kind, class_weight=[1.0, 1.0, np.nan])
    refuse(ValueError, r"class_weight\[0\] is inf", labels=kind, class_weight=[np.inf, 1.0, 1.0])
    for weight in ([1.0, 1.0], [1.0] * 4, 1.0, [[1.0, 1.0, 1.0]]):
        refuse(ValueError, r"class_weight has shape \(.*\); it must be \(3,\)", labels=kind, class_weight=weight)
    refuse(TypeError, "class_weight has dtype complex", labels=kind, class_weight=np.ones(3, complex))
    refuse(TypeError, "class_weight has dtype", labels=kind, class_weight=["a", "b", "c"])


@pytest.mark.parametrize("kind", [LABELS, Q], ids=["indices", "probabilities"])
def test_sample_weights(kind):
    refuse(ValueError, r"sample_weight\[3\] is -1.0", labels=kind, sample_weight=[1.0, 1.0, 1.0, -1.0])
    refuse(ValueError, r"sample_weight\[0\] is nan", labels=kind, sample_weight=[np.nan, 1.0, 1.0, 1.0])
    refuse(ValueError, r"sample_weight\[1\] is inf", labels=kind, sample_weight=[1.0, np.inf, 1.0, 1.0])
    for weight in ([1.0] * 3, 1.0, [[1.0]] * 4):
        refuse(ValueError, r"sample_weight has shape \(.*\); it must be \(4,\)", labels=kind, sample_weight=weight)
    refuse(TypeError, "sample_weight has dtype object", labels=kind, sample_weight=np.ones(4, object))


@pytest.mark.parametrize("kind", [LABELS, Q], ids=["indices", "probabilities"])
@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf, -np.inf])
def test_label_smoothing_outside_its_range(value, kind):
    refuse(ValueError, r"label_smoothing is .*\[0, 1\]", labels=kind, label_smoothing=value)


def test_label_smoothing_of_the_wrong_type():
    for value in ("0.1", None, [0.1, 0.2], 1j):
        refuse(TypeError, "label_smoothing", label_smoothing=value)


def test_label_smoothing_at_its_ends():
    assert sg.cross_entropy(X, LABELS, label_smoothing=0.0) == sg.cross_entropy(X, LABELS)
    uniform = sg.cross_entropy(X, np.full((4, 3), 1 / 3))
    assert sg.cross_entropy(X, LABELS, label_smoothing=1.0) == pytest.approx(
        uniform, rel=2 * LOSS[FLOAT64] * EPS, abs=0.0
    )


def test_unknown_names():
    refuse(ValueError, "reduction is 'average'; .*'mean', 'sum' or 'none'", reduction="average")
    refuse(ValueError, "normalizer is 'rows'; .*'weights', 'count'", normalizer="rows")
    refuse(ValueError, "reduction", reduction=None)
    with pytest.raises(TypeError, match="label_smooth"):
        sg.cross_entropy(X, LABELS, label_smooth=0.1)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_normalizer_outside_its_range(value):
    refuse(ValueError, "normalizer is", normalizer=value)


def test_normalizer_of_the_wrong_type():
    for value in (None, [1.0, 2.0], 1j):
        refuse(TypeError, "normalizer", normalizer=value)


def test_ignore_index():
    refuse(ValueError, "ignore_index", labels=Q, ignore_index=0)
    for value in (0.0, "0", [0], True):
        refuse(TypeError, "ignore_index must be an integer", ignore_index=value)


def test_upstream():
    refuse(ValueError, "upstream has shape", upstream=np.ones(4))
    refuse(ValueError, "upstream has shape", upstream=np.ones(1), reduction="sum")
    refuse(ValueError, r"upstream has shape .*\(4,\)", upstream=1.0, reduction="none")
    refuse(ValueError, r"upstream has shape .*\(4,\)", upstream=np.ones((4, 1)), reduction="none")
    refuse(TypeError, "upstream has dtype complex", upstream=1j)
    refuse(TypeError, "upstream has dtype", upstream="1")


def test_out():
    for shape in ((4, 2), (3, 4), (4, 3, 1), (12,)):
        refuse(ValueError, "out has shape", out=np.full(shape, 7.0))
    for dtype in (np.float32, np.int64, np.complex128):
        refuse(TypeError, "out has dtype", out=np.full((4, 3), 7, dtype))
    read_only = np.full((4, 3), 7.0)
    read_only.flags.writeable = False
    refuse(ValueError, "read-only", out=read_only)
    refuse(ValueError, "out", out=np.lib.stride_tricks.as_strided(np.full(3, 7.0), (4, 3), (0, 8)))
    with pytest.raises(TypeError, match="out"):
        sg.cross_entropy.value_and_grad(X, LABELS, out=[[0.0] * 3] * 4)


def test_out_overlapping_the_logits():
    memory = np.arange(25.0).reshape(5, 5) % 7
    labels = [0, 1, 2, 3]
    before = memory.copy()
    overlapping = {
        "shifted by a row": (memory[:-1], memory[1:], labels),
        "reversed": (memory, memory[::-1], [*labels, 0]),
        "transposed": (memory, memory.T, [*labels, 0]),
    }
    for logits, out, chosen in overlapping.values():
        with pytest.raises(ValueError, match="overlap"):
            sg.cross_entropy.value_and_grad(logits, chosen, out=out)
        np.testing.assert_array_equal(memory, before)


def result_or_refusal(logits, *, labels, **options):
    try:
        return sg.cross_entropy.value_and_grad(logits, labels, **options)
    except ValueError as error:
        return error


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("start", ["first", "last"])
@pytest.mark.parametrize(
    ("name", "shape"),
    [("labels", (4, 3)), ("class_weight", (3,)), ("sample_weight", (4,)), ("upstream", (4,))],
)
def test_out_in_the_memory_of_another_input(name, shape, start, smoothing):
    """Probabilities, weights and upstream are read while out is written: an error, or the right result."""
    memory = np.linspace(0.25, 0.75, 12)
    before, size = memory.copy(), int(np.prod(shape))
    given = (memory[:size] if start == "first" else memory[-size:]).reshape(shape)
    options = {"labels": LABELS, "reduction": "none", "label_smoothing": smoothing}
    expected = result_or_refusal(X, **{**options, name: given.copy()})
    actual = result_or_refusal(X, **{**options, name: given}, out=memory.reshape(4, 3))
    if isinstance(actual, ValueError):
        assert "overlap" in str(actual)
        np.testing.assert_array_equal(memory, before)
    else:
        np.testing.assert_array_equal(actual[0], expected[0])
        np.testing.assert_array_equal(actual[1], expected[1])


def test_probabilities_as_out():
    q = Q.copy()
    with pytest.raises(ValueError, match="overlap"):
        sg.cross_entropy.value_and_grad(X, q, out=q)
    np.testing.assert_array_equal(q, Q)


def test_arguments_are_positional_and_options_keyword_only():
    with pytest.raises(TypeError):
        sg.cross_entropy(X, LABELS, 0)
    with pytest.raises(TypeError):
        sg.cross_entropy(logits=X, labels=LABELS)
