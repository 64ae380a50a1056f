"""The definitions of softgrad in plain NumPy: the textbook, and the oracle of the tests.

Every function works in float64, imports NumPy only and follows its formula line by line; it is neither fast
nor sparing with memory. Names are those of the public functions; NAME_METHOD is a derivative method of NAME.
"""

from softgrad.reference.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_grad
from softgrad.reference.cross_entropy import cross_entropy, cross_entropy_grad
from softgrad.reference.focal import focal, focal_grad
from softgrad.reference.hardmax import hardmax
from softgrad.reference.kl_divergence import kl_divergence, kl_divergence_grad
from softgrad.reference.linear_cross_entropy import (
    LinearGradients,
    linear_cross_entropy,
    linear_cross_entropy_grad,
)
from softgrad.reference.log_sigmoid import log_sigmoid, log_sigmoid_jvp, log_sigmoid_vjp
from softgrad.reference.log_softmax import (
    log_softmax,
    log_softmax_jacobian,
    log_softmax_jvp,
    log_softmax_vjp,
)
from softgrad.reference.logsumexp import logsumexp, logsumexp_jacobian, logsumexp_jvp, logsumexp_vjp
from softgrad.reference.quadratic import quadratic, quadratic_grad
from softgrad.reference.sigmoid import sigmoid, sigmoid_jvp, sigmoid_vjp
from softgrad.reference.softmax import softmax, softmax_jacobian, softmax_jvp, softmax_vjp
from softgrad.reference.token_logprobs import TokenLogprobs, token_logprobs, token_logprobs_jvp

__all__ = [
    "LinearGradients",
    "TokenLogprobs",
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
    "cross_entropy",
    "cross_entropy_grad",
    "focal",
    "focal_grad",
    "hardmax",
    "kl_divergence",
    "kl_divergence_grad",
    "linear_cross_entropy",
    "linear_cross_entropy_grad",
    "log_sigmoid",
    "log_sigmoid_jvp",
    "log_sigmoid_vjp",
    "log_softmax",
    "log_softmax_jacobian",
    "log_softmax_jvp",
    "log_softmax_vjp",
    "logsumexp",
    "logsumexp_jacobian",
    "logsumexp_jvp",
    "logsumexp_vjp",
    "quadratic",
    "quadratic_grad",
    "sigmoid",
    "sigmoid_jvp",
    "sigmoid_vjp",
    "softmax",
    "softmax_jacobian",
    "softmax_jvp",
    "softmax_vjp",
    "token_logprobs",
    "token_logprobs_jvp",
]
