"""Checks gradients against differences of their functions, and says when the differences cannot tell."""

from softgrad.gradcheck._check import GradientReport, check_gradient

__all__ = ["GradientReport", "check_gradient"]
