"""Neural networks by hand: layers, losses and optimizers in plain NumPy, small enough to be read.

Every layer has the same two verbs: `forward` gives its outputs; `backward` takes the gradient of the loss by them,
works out those by its own parameters, and returns the one by its inputs, for the layer below.

>>> import numpy as np
>>> from softgrad import nn
>>> network = nn.Network([nn.Linear(1, 16, seed=0), nn.ReLU(), nn.Linear(16, 2, seed=1)], nn.SoftmaxLoss())
>>> X = np.linspace(-1.0, 1.0, 41).reshape(-1, 1)
>>> y = (abs(X[:, 0]) > 0.5).astype(int)
>>> history = network.fit(X, y, optimizer=nn.SGD(lr=0.5, momentum=0.9), epochs=200)
>>> history.accuracy[-1]
1.0
"""

from softgrad.nn.layers import BatchNorm, Dropout, Layer, Linear, ReLU, Sigmoid, Softmax, Tanh
from softgrad.nn.losses import BinaryCrossEntropy, Loss, MultinomialLogistic, Quadratic, SoftmaxLoss
from softgrad.nn.network import Network
from softgrad.nn.optimizers import SGD, Adam, Optimizer
from softgrad.nn.training import History

__all__ = [
    "SGD",
    "Adam",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Dropout",
    "History",
    "Layer",
    "Linear",
    "Loss",
    "MultinomialLogistic",
    "Network",
    "Optimizer",
    "Quadratic",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "SoftmaxLoss",
    "Tanh",
]
