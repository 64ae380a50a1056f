"""softgrad for PyTorch: softmax, cross-entropy and other losses of tensors, with derivatives of any order.

>>> import torch, softgrad.torch as sgt
>>> sgt.cross_entropy(torch.tensor([[0.0, 40.0]]), torch.tensor([1]))
tensor(4.2484e-18)
"""

from softgrad.torch._binary_cross_entropy import binary_cross_entropy
from softgrad.torch._cross_entropy import cross_entropy
from softgrad.torch._focal import focal
from softgrad.torch._hugging_face import patch, unpatch
from softgrad.torch._kl_divergence import kl_divergence
from softgrad.torch._linear_cross_entropy import LinearCrossEntropyOutput, linear_cross_entropy
from softgrad.torch._linear_cross_entropy_module import LinearCrossEntropyLoss
from softgrad.torch._logsumexp import logsumexp
from softgrad.torch._modules import BCEWithLogitsLoss, CrossEntropyLoss, FocalLoss, KLDivLoss
from softgrad.torch._sigmoid import log_sigmoid, sigmoid
from softgrad.torch._softmax import log_softmax, softmax
from softgrad.torch._token_logprobs import TokenStatistics, token_logprobs

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "FocalLoss",
    "KLDivLoss",
    "LinearCrossEntropyLoss",
    "LinearCrossEntropyOutput",
    "TokenStatistics",
    "binary_cross_entropy",
    "cross_entropy",
    "focal",
    "kl_divergence",
    "linear_cross_entropy",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "patch",
    "sigmoid",
    "softmax",
    "token_logprobs",
    "unpatch",
]
