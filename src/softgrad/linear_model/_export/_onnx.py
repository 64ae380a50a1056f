"""A softmax regression as an ONNX model; needs the extra ``onnx``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.utils.validation import check_is_fitted

from softgrad import _files
from softgrad.linear_model._estimator import SoftmaxRegression

# The first in which Softmax is over one axis.
OLDEST_OPSET = 13
# Older versions of the file format say the same; no runtime in use asks for them.
OLDEST_IR_VERSION = 8

# A protobuf message cannot be larger; the rest of the file takes far less than the share left for it.
MOST_BYTES_OF_WEIGHTS = 2**31 - 2**24

DTYPES = ("float64", "float32")


def to_onnx(
    model: SoftmaxRegression,
    path: str | PathLike[str],
    *,
    dtype: Literal["float64", "float32"] = "float64",
    opset: int = OLDEST_OPSET,
) -> None:
    """Write a fitted softmax regression as an ONNX model.

    The file has one input, ``X`` of shape (n, d), and two outputs named as scikit-learn's converters name them:
    ``label`` of shape (n,) and ``probabilities`` of shape (n, K), columns in the order of `classes_`.

    Parameters
    ----------
    model : SoftmaxRegression
        A fitted one. Its `classes_` may be integers (written as int64), floats, text or booleans.
    path : str or path-like
        The file appears whole or not at all; one that was there is replaced.
    dtype : {"float64", "float32"}, default "float64"
        Of ``X``, of the arithmetic and of ``probabilities``. float32 is for runtimes without float64; the coefficients
        are rounded to it.
    opset : int, default 13
        The version of ONNX's operators, from 13 to the newest that the installed onnx knows. They mean the same in all
        of them; runtimes older than an opset refuse it. The file format is the oldest that it allows, 8 at least.

    Raises
    ------
    ImportError
        The package onnx is not installed.
    TypeError
        `model` is no SoftmaxRegression, or `classes_` holds something else than labels named above.
    ValueError
        `dtype` is another one; `opset` is out of its range; a coefficient is beyond the range of float32; the
        coefficients are beyond the 2 GiB that an ONNX file holds.
    sklearn.exceptions.NotFittedError
        `model` has not been fitted.
    OSError
        The file cannot be written.

    Notes
    -----
    The graph is Gemm, Softmax and, for the label, ArgMax and Gather. ONNX defines Softmax [1]_ by the
    exponentials of the logits less their maximum, so that no finite logit overflows; the label is the first of the
    largest logits, as in `predict`. The bits are the runtime's. In whatever order it adds, a probability is
    within eps ((d + 3) T / 4 + K + 9) of the exact one, where T is the largest sum_j abs(x_j w_kj) + abs(b_k) of the
    row and eps that of `dtype` (``pytest tests/linear_model/test_onnx_export.py``). A NaN in ``X`` gives NaN where
    `predict` refuses.

    References
    ----------
    .. [1] https://onnx.ai/onnx/operators/onnx__Softmax.html

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from softgrad.linear_model import SoftmaxRegression, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "iris.onnx"
    ...     to_onnx(SoftmaxRegression().fit(X, y), path)
    ...     session = onnxruntime.InferenceSession(path)
    >>> label, probabilities = session.run(["label", "probabilities"], {"X": X[:1]})
    >>> label.tolist(), probabilities.round(3)
    ([0], array([[0.982, 0.018, 0.   ]]))
    """
    if not isinstance(model, SoftmaxRegression):
        raise TypeError(f"model is a {type(model).__name__}; a SoftmaxRegression is needed")
    check_is_fitted(model)
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    graph = Graph(dtype)
    graph.add_input("X", dtype, model.coef_.shape[1], names)
    graph.classify("X", model.coef_, model.intercept_, model.classes_)
    graph.save(Path(path), {}, opset)


class Port(NamedTuple):
    """An input or output of a graph."""

    name: str
    dtype: np.dtype[Any]
    shape: list[int | str]
    about: str


@dataclass
class Graph:
    """A graph in the making, of plain NumPy arrays and names; `save` alone needs the package onnx.

    `nodes` are (operator, names of the arguments, name of the result, attributes), in the order of their execution;
    `oldest_opset` is the first that has them all, with the dtypes of their arguments.
    """

    dtype: str
    oldest_opset: int = OLDEST_OPSET
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    nodes: list[tuple[str, list[str], str, dict[str, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}; it must be one of {DTYPES}")

    def add_input(self, name: str, dtype: DTypeLike, columns: int, names: Sequence[str]) -> None:
        """A matrix with a row per case; the names of its columns are written beside it."""
        self.inputs.append(Port(name, np.dtype(dtype), ["n", columns], json.dumps(names) if names else ""))

    def number(self, name: str, value: NDArray[np.float64], *, positive: bool = False) -> str:
        """A constant in the dtype of the graph.

        Raises
        ------
        ValueError
            If a value is beyond its range, or a positive one would be rounded to 0.
        """
        with np.errstate(over="ignore", under="ignore"):
            rounded = value.astype(self.dtype)
        lost = ~np.isfinite(rounded) | ((rounded == 0.0) & positive)
        if lost.any():
            index = tuple(int(i) for i in np.argwhere(lost)[0])
            raise ValueError(f"{name}{list(index)} is {value[index]}, beyond the range of {self.dtype}")
        return self.constant(name, rounded)

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = value
        return name

    def node(self, operator: str, arguments: Sequence[str], result: str, **attributes: int) -> str:
        self.nodes.append((operator, list(arguments), result, attributes))
        return result

    def classify(
        self, features: str, coef: NDArray[np.float64], intercept: NDArray[np.float64], labels: NDArray[Any]
    ) -> None:
        """The outputs ``label`` and ``probabilities`` of the features, which have the dtype of the graph."""
        size = coef.size * np.dtype(self.dtype).itemsize
        if size > MOST_BYTES_OF_WEIGHTS:
            raise ValueError(f"coef_ takes {size} bytes as {self.dtype}; an ONNX file holds less than {2**31}")
        weights = [self.number("coef_", coef), self.number("intercept_", intercept)]
        logits = self.node("Gemm", [features, *weights], "logits", transB=1)
        likeliest = self.node("ArgMax", [logits], "likeliest", axis=1, keepdims=0)
        classes = self.constant("classes", _storable(labels))
        self.node("Gather", [classes, likeliest], "label", axis=0)
        self.node("Softmax", [logits], "probabilities", axis=1)
        self.outputs = [
            Port("label", self.constants[classes].dtype, ["n"], ""),
            Port("probabilities", np.dtype(self.dtype), ["n", len(labels)], ""),
        ]

    def save(self, path: Path, metadata: Mapping[str, str], opset: int) -> None:
        """Check the graph against ONNX's definitions in an opset and write it, in the oldest file format for that."""
        try:
            import onnx
        except ImportError as error:
            raise ImportError('an ONNX file needs the package onnx: pip install "softgrad[onnx]"') from error
        from onnx import helper, numpy_helper

        newest = onnx.defs.onnx_opset_version()
        if not (isinstance(opset, Integral) and self.oldest_opset <= opset <= newest):
            raise ValueError(
                f"opset is {opset!r}; it must be an integer from {self.oldest_opset}, the first with what the model "
                f"needs, to {newest}, the newest of onnx {onnx.__version__}"
            )

        def values(ports: list[Port]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape, about)
                for name, dtype, shape, about in ports
            ]

        nodes = [helper.make_node(op, arguments, [to], **given) for op, arguments, to, given in self.nodes]
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(nodes, "softmax_regression", values(self.inputs), values(self.outputs), constants)
        operators = [helper.make_opsetid("", int(opset))]
        ir_version = max(OLDEST_IR_VERSION, helper.find_min_ir_version_for(operators))
        model = helper.make_model(graph, producer_name="softgrad", opset_imports=operators, ir_version=ir_version)
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        with _files.replacing(path) as file:
            file.write(model.SerializeToString(deterministic=True))


def _storable(labels: NDArray[Any]) -> NDArray[Any]:
    """The labels in a dtype that ONNX has and runtimes know."""
    if labels.dtype.kind in "iu":
        if labels.max() > np.iinfo(np.int64).max:
            raise ValueError(f"classes_ holds {labels.max()}; ONNX labels are int64")
        return labels.astype(np.int64)
    if labels.dtype.kind == "f":
        return labels.astype(np.float64)
    if labels.dtype.kind == "b":
        return labels
    if labels.dtype.kind in "UO" and all(isinstance(label, str) for label in labels):
        return labels.astype(object)
    raise TypeError(f"classes_ holds {labels.dtype} labels; ONNX has integers, floats, text and booleans")
