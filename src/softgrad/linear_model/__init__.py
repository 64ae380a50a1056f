"""Softmax regression as a scikit-learn classifier; needs the extra ``sklearn``."""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError('softgrad.linear_model needs scikit-learn: pip install "softgrad[sklearn]"') from error

from softgrad.linear_model._cross_validation import SoftmaxRegressionCV
from softgrad.linear_model._estimator import SoftmaxRegression
from softgrad.linear_model._export._onnx import to_onnx
from softgrad.linear_model._export._sklearn import to_sklearn
from softgrad.linear_model._solvers._iteration import IterationReport

__all__ = ["IterationReport", "SoftmaxRegression", "SoftmaxRegressionCV", "to_onnx", "to_sklearn"]
