"""The array functions: softmax and its family."""

from softgrad.functional.hardmax import hardmax
from softgrad.functional.log_sigmoid import log_sigmoid
from softgrad.functional.log_softmax import log_softmax
from softgrad.functional.logsumexp import logsumexp
from softgrad.functional.sigmoid import sigmoid
from softgrad.functional.softmax import softmax

__all__ = ["hardmax", "log_sigmoid", "log_softmax", "logsumexp", "sigmoid", "softmax"]
