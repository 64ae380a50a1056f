"""What the rows say of the coefficients: standard errors, z values, p values and confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array

_HEADINGS = ("coef", "std err", "z", "P>|z|")


@dataclass(frozen=True, eq=False)
class Summary:
    """The coefficients of a fit without a penalty, with what is known of them; `SoftmaxRegression.summary` makes it.

    Attributes
    ----------
    baseline : object
        The class that the others are compared with.
    classes : ndarray, shape (K - 1,)
        The others, ascending.
    terms : tuple of str, length p
        "intercept", if there are intercepts, and the names of the features; x0, x1 and so on where they have none.
    coef : ndarray, shape (K - 1, p)
        The coefficients of a class less those of the baseline.
    std_err, z, p_value : ndarray, shape (K - 1, p)
        Their standard errors, coef / std_err, and how likely a z at least as far from 0 is where the coefficient is 0.
    conf_int : ndarray, shape (K - 1, p, 2)
        The limits of the interval that covers the coefficient with a probability of 1 - alpha.
    alpha : float

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from softgrad.linear_model import SoftmaxRegression
    >>> X, y = load_wine(return_X_y=True)
    >>> summary = SoftmaxRegression(C=np.inf).fit(X[:, :1], y).summary(X[:, :1], y)
    >>> summary.terms, summary.classes.tolist(), summary.coef.round(2).tolist()
    (('intercept', 'x0'), [1, 2], [[68.23, -5.22], [29.54, -2.21]])
    """

    baseline: object
    classes: NDArray[Any]
    terms: tuple[str, ...]
    coef: Array
    std_err: Array
    z: Array
    p_value: Array
    conf_int: Array
    alpha: float

    def to_frame(self) -> Any:
        """A `pandas.DataFrame` with a row for each class and term; needs pandas."""
        import pandas

        index = pandas.MultiIndex.from_product([self.classes.tolist(), self.terms], names=["class", "term"])
        columns = {
            "coef": self.coef.ravel(),
            "std_err": self.std_err.ravel(),
            "z": self.z.ravel(),
            "p_value": self.p_value.ravel(),
            "lower": self.conf_int[:, :, 0].ravel(),
            "upper": self.conf_int[:, :, 1].ravel(),
        }
        return pandas.DataFrame(columns, index=index)

    def __str__(self) -> str:
        width = max(map(len, self.terms))
        headings = [*_HEADINGS, f"[{self.alpha / 2:.4g}", f"{1 - self.alpha / 2:.4g}]"]
        lines = []
        for label, *columns in zip(
            self.classes.tolist(), self.coef, self.std_err, self.z, self.p_value, self.conf_int, strict=True
        ):
            title = f"class {label!r} against {self.baseline!r}"
            lines += ["", title, " " * width + "".join(f"{heading:>12}" for heading in headings)]
            for term, coef, error, z, p, (lower, upper) in zip(self.terms, *columns, strict=True):
                numbers = f"{coef:12.4f}{error:12.4f}{z:12.3f}{p:12.3f}{lower:12.4f}{upper:12.4f}"
                lines.append(f"{term:<{width}}{numbers}")
        return "\n".join(lines[1:])
