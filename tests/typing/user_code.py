"""What a user writes, with the types that checkers should see: no error from mypy --strict or pyright's strict mode."""

from __future__ import annotations

from typing import Any, Literal, assert_type

import numpy as np
import torch
from numpy.typing import NDArray

import softgrad as sg
import softgrad.torch as sgt
from softgrad import gradcheck, losses, nn, reference
from softgrad.linear_model import IterationReport, SoftmaxRegressionCV, Summary

Floats = NDArray[np.floating[Any]]

logits = np.array([[2.0, 3.0, 4.0], [0.0, 0.0, 40.0]])
labels = np.array([1, 2])


def array_functions() -> None:
    p = assert_type(sg.softmax(logits, axis=-1, temperature=2.0), Floats)
    assert_type(sg.softmax([[0.0, 1.0]], where=[True, False]), Floats)
    assert_type(sg.log_softmax(logits.astype(np.float32), axis=(0, 1)), Floats)
    assert_type(sg.softmax(logits, out=logits.copy()), Floats)
    assert_type(sg.softmax.vjp(None, logits, output=p), Floats)
    assert_type(sg.softmax.jacobian(logits), Floats)
    assert_type(sg.logsumexp(logits), np.floating[Any] | Floats)
    assert_type(sg.logsumexp.hvp(logits, [1.0, 1.0], logits), Floats)
    assert_type(sg.sigmoid(0.5), Floats)
    assert_type(sg.hardmax(logits), Floats)
    for member in sg.registry().values():
        assert_type(member.derivatives, tuple[str, ...])


def of_any_reduction(reduction: Literal["mean", "sum", "none"]) -> np.floating[Any] | Floats:
    return sg.kl_divergence(logits, logits, reduction=reduction)


def losses_of_arrays() -> None:
    assert_type(sg.cross_entropy(logits, labels), np.floating[Any])
    assert_type(sg.cross_entropy([[1.0, 2.0]], [1], reduction="sum"), np.floating[Any])
    assert_type(sg.cross_entropy(logits, labels, reduction="none", label_smoothing=0.1), Floats)
    assert_type(of_any_reduction("none"), np.floating[Any] | Floats)
    assert_type(sg.cross_entropy.grad(logits, labels, class_weight=[1, 2, 3]), Floats)
    loss, gradient = sg.cross_entropy.value_and_grad(logits, labels, normalizer="count")
    assert_type(loss, np.floating[Any])
    assert_type(gradient, Floats)
    each, _ = sg.focal.value_and_grad(logits, labels, gamma=1.0, reduction="none")
    assert_type(each, Floats)
    assert_type(sg.quadratic.jvp(logits, logits, logits, reduction="none"), Floats)
    hessian = assert_type(sg.kl_divergence.hessian(logits, logits), sg.DiagonalPlusRankOne)
    assert_type(hessian @ logits, NDArray[Any])
    assert_type(hessian.solve(gradient, damping=1e-3), NDArray[Any])
    assert_type(sg.focal.hessian(logits, labels), Floats)
    _, gradients = sg.linear_cross_entropy.value_and_grad(np.eye(2), np.eye(3, 2), labels)
    assert_type(gradients, losses.LinearGradients)
    assert_type(gradients.weight, Floats | None)
    assert_type(sg.token_logprobs(logits, labels).rank, NDArray[np.int64])


def checks_of_gradients() -> None:
    def cube(x: NDArray[np.float64]) -> np.float64:
        return np.sum(x**3)

    def slope(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return 3.0 * x * x

    report = assert_type(sg.check_gradient(cube, logits, grad=slope), sg.GradientReport)
    assert_type(report.passed, bool)
    assert_type(report.worst_index, tuple[int, ...] | None)
    assert_type(sg.check_derivatives(sg.softmax, logits), dict[str, sg.GradientReport])
    assert_type(gradcheck.step_errors(cube, [1.0], grad=slope), gradcheck.StepErrors)


def settings() -> None:
    with sg.num_threads(2):
        assert_type(sg.get_num_threads(), int)
    assert_type(sg.show_config()["version"], Any)
    assert_type(sg.__version__, str)


def definitions() -> None:
    assert_type(reference.softmax(logits), NDArray[np.float64])


def estimator() -> None:
    told: list[float] = []

    def callback(report: IterationReport) -> None:
        told.append(report.relative_gap)

    X, y = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]), ["a", "b", "a", "b", "a", "b"]
    model = sg.SoftmaxRegression(C=np.inf, callback=callback)
    model = assert_type(model.fit(X, y, sample_weight=np.ones(6)), sg.SoftmaxRegression)
    assert_type(model.predict(X), NDArray[Any])
    assert_type(model.predict_proba([[0.5]]), NDArray[Any])
    assert_type(model.score(X, y), float)
    assert_type(model.coef_, NDArray[np.float64])
    assert_type(model.converged_, bool)
    assert_type(model.summary(X, y), Summary)
    weighted = sg.SoftmaxRegression(class_weight={"a": 2.0}, l1_ratio=0.5, random_state=0, n_threads=1)
    assert_type(weighted.fit(X, y).intercept_, NDArray[np.float64])
    stepped = assert_type(sg.SoftmaxRegression().partial_fit(X, y, classes=["a", "b"]), sg.SoftmaxRegression)
    assert_type(stepped.loss_curve_, list[float])
    searched = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=2).fit(X, y)
    assert_type(searched.C_, float)
    assert_type(searched.solver_reason_, str)


def network() -> None:
    layers: list[nn.Layer] = [nn.Linear(3, 4, seed=0), nn.ReLU(), nn.Linear(4, 3, seed=1)]
    model = nn.Network(layers, nn.SoftmaxLoss())
    history = model.fit(logits, labels, optimizer=nn.SGD(lr=0.1), epochs=2)
    assert_type(history.loss, list[float])
    assert_type(model.predict(logits), Floats)


def tensors() -> None:
    x = torch.tensor([[2.0, 3.0, 4.0], [0.0, 0.0, 40.0]], requires_grad=True)
    target = torch.tensor([1, 2])
    assert_type(sgt.softmax(x, 1, temperature=2.0), torch.Tensor)
    assert_type(sgt.cross_entropy(x, target, reduction="sum", label_smoothing=0.1), torch.Tensor)
    assert_type(sgt.token_logprobs(x, target), sgt.TokenStatistics)
    assert_type(sgt.linear_cross_entropy(x, torch.ones(5, 3), target), torch.Tensor)
    criterion = sgt.CrossEntropyLoss(z_loss=1e-4)
    assert_type(criterion.forward(x, target), torch.Tensor)


def everything() -> None:
    array_functions()
    losses_of_arrays()
    checks_of_gradients()
    settings()
    definitions()
    estimator()
    network()
    tensors()
