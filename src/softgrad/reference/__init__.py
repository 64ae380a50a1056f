"""The definitions of softgrad in plain NumPy: the textbook, and the oracle of the tests.

Every function works in float64, imports NumPy only and follows its formula line by line; it is neither fast
nor sparing with memory. Names are those of the public functions; NAME_METHOD is a derivative method of NAME.
"""

from softgrad.reference.binary_cross_entropy import (
    binary_cross_entropy,
    binary_cross_entropy_grad,
    binary_cross_entropy_hessian,
    binary_cross_entropy_hessian_diagonal,
    binary_cross_entropy_hvp,
    binary_cross_entropy_jvp,
)
from softgrad.reference.cross_entropy import (
    cross_entropy,
    cross_entropy_grad,
    cross_entropy_hessian,
    cross_entropy_hessian_diagonal,
    cross_entropy_hvp,
    cross_entropy_jvp,
)
from softgrad.reference.focal import (
    focal,
    focal_grad,
    focal_hessian,
    focal_hessian_diagonal,
    focal_hvp,
    focal_jvp,
)
from softgrad.reference.hardmax import hardmax
from softgrad.reference.kl_divergence import (
    kl_divergence,
    kl_divergence_grad,
    kl_divergence_hessian,
    kl_divergence_hessian_diagonal,
    kl_divergence_hvp,
    kl_divergence_jvp,
)
from softgrad.reference.linear_cross_entropy import (
    LinearGradients,
    linear_cross_entropy,
    linear_cross_entropy_grad,
    linear_cross_entropy_hvp,
    linear_cross_entropy_jvp,
)
from softgrad.reference.log_sigmoid import (
    log_sigmoid,
    log_sigmoid_hvp,
    log_sigmoid_jvp,
    log_sigmoid_vjp,
)
from softgrad.reference.log_softmax import (
    log_softmax,
    log_softmax_hvp,
    log_softmax_jacobian,
    log_softmax_jvp,
    log_softmax_vjp,
)
from softgrad.reference.logsumexp import logsumexp, logsumexp_hvp, logsumexp_jacobian, logsumexp_jvp, logsumexp_vjp
from softgrad.reference.quadratic import (
    quadratic,
    quadratic_grad,
    quadratic_hessian,
    quadratic_hessian_diagonal,
    quadratic_hvp,
    quadratic_jvp,
)
from softgrad.reference.sigmoid import (
    sigmoid,
    sigmoid_hvp,
    sigmoid_jvp,
    sigmoid_vjp,
)
from softgrad.reference.softmax import softmax, softmax_hvp, softmax_jacobian, softmax_jvp, softmax_vjp
from softgrad.reference.token_logprobs import (
    TokenDerivatives,
    TokenLogprobs,
    token_logprobs,
    token_logprobs_jacobian,
    token_logprobs_jvp,
    token_logprobs_vjp,
)

__all__ = [
    "LinearGradients",
    "TokenDerivatives",
    "TokenLogprobs",
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
    "binary_cross_entropy_hessian",
    "binary_cross_entropy_hessian_diagonal",
    "binary_cross_entropy_hvp",
    "binary_cross_entropy_jvp",
    "cross_entropy",
    "cross_entropy_grad",
    "cross_entropy_hessian",
    "cross_entropy_hessian_diagonal",
    "cross_entropy_hvp",
    "cross_entropy_jvp",
    "focal",
    "focal_grad",
    "focal_hessian",
    "focal_hessian_diagonal",
    "focal_hvp",
    "focal_jvp",
    "hardmax",
    "kl_divergence",
    "kl_divergence_grad",
    "kl_divergence_hessian",
    "kl_divergence_hessian_diagonal",
    "kl_divergence_hvp",
    "kl_divergence_jvp",
    "linear_cross_entropy",
    "linear_cross_entropy_grad",
    "linear_cross_entropy_hvp",
    "linear_cross_entropy_jvp",
    "log_sigmoid",
    "log_sigmoid_hvp",
    "log_sigmoid_jvp",
    "log_sigmoid_vjp",
    "log_softmax",
    "log_softmax_hvp",
    "log_softmax_jacobian",
    "log_softmax_jvp",
    "log_softmax_vjp",
    "logsumexp",
    "logsumexp_hvp",
    "logsumexp_jacobian",
    "logsumexp_jvp",
    "logsumexp_vjp",
    "quadratic",
    "quadratic_grad",
    "quadratic_hessian",
    "quadratic_hessian_diagonal",
    "quadratic_hvp",
    "quadratic_jvp",
    "sigmoid",
    "sigmoid_hvp",
    "sigmoid_jvp",
    "sigmoid_vjp",
    "softmax",
    "softmax_hvp",
    "softmax_jacobian",
    "softmax_jvp",
    "softmax_vjp",
    "token_logprobs",
    "token_logprobs_jacobian",
    "token_logprobs_jvp",
    "token_logprobs_vjp",
]
