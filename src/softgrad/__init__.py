"""softgrad: softmax, cross-entropy and their gradients, accurate to the last bits and the same bits on every run."""

from typing import TYPE_CHECKING, Any

from softgrad._config import show_config
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._differentiable import registry
from softgrad._native import get_num_threads, num_threads, set_num_threads
from softgrad._version import __version__ as __version__
from softgrad.functional import hardmax, log_sigmoid, log_softmax, logsumexp, sigmoid, softmax
from softgrad.gradcheck import GradientReport, assert_gradient, check_derivatives, check_gradient
from softgrad.losses import (
    binary_cross_entropy,
    cross_entropy,
    focal,
    kl_divergence,
    linear_cross_entropy,
    quadratic,
    token_logprobs,
)

if TYPE_CHECKING:
    from softgrad.linear_model import SoftmaxRegression

__all__ = [
    "DiagonalPlusRankOne",
    "GradientReport",
    "SoftmaxRegression",
    "assert_gradient",
    "binary_cross_entropy",
    "check_derivatives",
    "check_gradient",
    "cross_entropy",
    "focal",
    "get_num_threads",
    "hardmax",
    "kl_divergence",
    "linear_cross_entropy",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "num_threads",
    "quadratic",
    "registry",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "softmax",
    "token_logprobs",
]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported only by those who ask for the estimator.
    if name == "SoftmaxRegression":
        from softgrad.linear_model import SoftmaxRegression

        return SoftmaxRegression
    raise AttributeError(f"module 'softgrad' has no attribute {name!r}")
