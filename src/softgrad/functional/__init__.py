"""The array functions: softmax and its family."""

from softgrad.functional._hardmax import hardmax
from softgrad.functional._log_sigmoid import log_sigmoid
from softgrad.functional._log_softmax import log_softmax
from softgrad.functional._logsumexp import logsumexp
from softgrad.functional._sigmoid import sigmoid
from softgrad.functional._softmax import softmax

__all__ = ["hardmax", "log_sigmoid", "log_softmax", "logsumexp", "sigmoid", "softmax"]
