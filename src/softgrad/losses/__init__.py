"""The losses, each with its gradient."""

from softgrad.losses.binary_cross_entropy import binary_cross_entropy
from softgrad.losses.cross_entropy import cross_entropy
from softgrad.losses.focal import focal
from softgrad.losses.kl_divergence import kl_divergence
from softgrad.losses.linear_cross_entropy import LinearGradients, linear_cross_entropy
from softgrad.losses.quadratic import quadratic
from softgrad.losses.token_logprobs import TokenDerivatives, TokenStatistics, token_logprobs

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
