"""What checkers must refuse: an error that is not ignored, and an ignored one that is none, are both reported."""

from __future__ import annotations

import numpy as np
import torch

import softgrad as sg
import softgrad.torch as sgt
from softgrad import nn
from softgrad.linear_model import ReadOptions

x, y = np.zeros((2, 3)), np.zeros(2, int)

# Options that a function does not have.
sg.softmax(x, dim=1)  # type: ignore[call-arg]
sg.quadratic(x, x, gamma=1.0)  # type: ignore[call-overload]
sg.quadratic.hvp(x, x, x, out=x)  # type: ignore[call-arg]
sg.focal.grad(x, y, label_smoothing=0.1)  # type: ignore[call-arg]
sg.linear_cross_entropy.grad(x, x, y, blockbytes=4096)  # type: ignore[call-arg]
sg.SoftmaxRegression(penalty="l2")  # type: ignore[call-arg]
sgt.softmax(torch.zeros(3), axis=0)  # type: ignore[call-arg]
ReadOptions(separator=";")  # type: ignore[call-arg]

# Values that an option does not take.
sg.cross_entropy(x, y, reduction="average")  # type: ignore[call-overload]
sg.softmax(x, temperature="hot")  # type: ignore[arg-type]
sg.softmax(x, out=[0.0])  # type: ignore[arg-type]
sg.SoftmaxRegression(solver="newton")  # type: ignore[arg-type]
sgt.cross_entropy(torch.zeros(1, 3), torch.zeros(1), reduction="average")  # type: ignore[arg-type]
sgt.softmax(x)  # type: ignore[arg-type]

# Arguments that are by position or by name alone, and those that are missing.
sg.softmax(x=x)  # type: ignore[call-arg]
sg.softmax(x, -1)  # type: ignore[call-arg]
sg.cross_entropy(x)  # type: ignore[call-overload]
sg.SoftmaxRegression(1.0)  # type: ignore[call-arg]
nn.Linear(2, 3)  # type: ignore[call-arg]

# Derivatives that are not there, and results that are taken for something else.
sg.sigmoid.jacobian(x)  # type: ignore[attr-defined]
sg.hardmax.vjp(x, x)  # type: ignore[attr-defined]
rows: float = sg.softmax(x)  # type: ignore[assignment]
sg.cross_entropy.hessian(x, y).inverse()  # type: ignore[attr-defined]
