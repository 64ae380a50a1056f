"""The losses, each with its gradient."""

from softgrad.losses._binary_cross_entropy import binary_cross_entropy
from softgrad.losses._cross_entropy import cross_entropy
from softgrad.losses._focal import focal
from softgrad.losses._kl_divergence import kl_divergence
from softgrad.losses._linear_cross_entropy import LinearGradients, linear_cross_entropy
from softgrad.losses._quadratic import quadratic
from softgrad.losses._token_logprobs import TokenDerivatives, TokenStatistics, token_logprobs

__all__ = [
    "LinearGradients",
    "TokenDerivatives",
    "TokenStatistics",
    "binary_cross_entropy",
    "cross_entropy",
    "focal",
    "kl_divergence",
    "linear_cross_entropy",
    "quadratic",
    "token_logprobs",
]
