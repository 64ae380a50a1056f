"""Softmax regression as a scikit-learn classifier; needs the extra ``sklearn``."""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if importlib.util.find_spec("sklearn") is None:
    raise ImportError('softgrad.linear_model needs scikit-learn: pip install "softgrad[sklearn]"')

if TYPE_CHECKING:
    from softgrad.linear_model._cross_validation import SoftmaxRegressionCV
    from softgrad.linear_model._data._read_options import ReadOptions
    from softgrad.linear_model._estimator import SoftmaxRegression
    from softgrad.linear_model._export._onnx import to_onnx
    from softgrad.linear_model._export._sklearn import to_sklearn
    from softgrad.linear_model._solvers._iteration import IterationReport
    from softgrad.linear_model._summary import Summary

__all__ = [
    "IterationReport",
    "ReadOptions",
    "SoftmaxRegression",
    "SoftmaxRegressionCV",
    "Summary",
    "to_onnx",
    "to_sklearn",
]

_MODULES = {
    "IterationReport": "_solvers._iteration",
    "ReadOptions": "_data._read_options",
    "SoftmaxRegression": "_estimator",
    "SoftmaxRegressionCV": "_cross_validation",
    "Summary": "_summary",
    "to_onnx": "_export._onnx",
    "to_sklearn": "_export._sklearn",
}


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second to import, and the command fits without it.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
