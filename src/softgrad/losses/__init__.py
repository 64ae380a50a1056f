"""The losses, each with its gradient."""

from softgrad.losses.cross_entropy import cross_entropy
from softgrad.losses.linear_cross_entropy import LinearGradients, linear_cross_entropy
from softgrad.losses.quadratic import quadratic

__all__ = ["LinearGradients", "cross_entropy", "linear_cross_entropy", "quadratic"]
