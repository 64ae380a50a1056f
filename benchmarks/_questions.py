"""The modules of this folder that answer one question about speed each.

Such a module has `rows(bench)`, which measures the rows of its table, and a docstring: the first line is the heading of
the table, the rest stands above it in docs/performance.md. It may have `tables(rows)`, where one line a row is no good
way to show them.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

# In the order of the page.
QUESTIONS = (
    "cross_entropy",
    "softmax",
    "small_calls",
    "class_axis",
    "contention",
    "linear_head",
    "linear_head_growth",
    "linear_head_confident",
    "derivative_products",
    "loss_only",
    "dtypes",
    "probability_labels",
    "shapes",
    "memory",
    "reading",
    "regression",
    "torch_adapter",
    "distributed",
)
# With a page of their own, or not of a loss: the others do not wait for them.
APART = (
    "linear_head_growth",
    "linear_head_confident",
    "shapes",
    "reading",
    "regression",
    "torch_adapter",
    "distributed",
)
# Not of --quick: their peers, or their clusters, alone take seconds, at any size.
NOT_QUICK = ("linear_head", "linear_head_growth", "linear_head_confident", "memory", "regression", "distributed")
# Whose cases --compare times, of softgrad alone.
COMPARED = ("softmax", "cross_entropy", "small_calls", "derivative_products", "linear_head", "regression")


def module(question: str) -> ModuleType:
    return import_module(f"benchmarks.{question}")


def heading_and_notes(question: str) -> tuple[str, str]:
    words = module(question).__doc__
    assert words is not None
    heading, _, notes = words.partition("\n")
    return heading, notes.strip()
