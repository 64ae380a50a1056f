"""The sections on the training: whether the gradient was right, and how the objective fell."""

from __future__ import annotations

import numpy as np

import softgrad
from softgrad.cli.html_report.charts import loss_curve
from softgrad.cli.html_report.findings import Findings
from softgrad.cli.html_report.markup import Html, element, facts, figure, note, number_cell, numbers, table


def gradient_section(findings: Findings) -> list[Html]:
    reports = findings.checks.values()
    rows = [
        ("verdict", [element("td", each.verdict, class_=f"number verdict {each.verdict}") for each in reports]),
        ("relative error", [number_cell(f"{each.worst_error:.1e}") for each in reports]),
        ("gradient there", [number_cell(f"{each.analytic:.9g}") for each in reports]),
        ("numeric", [number_cell(f"{each.numeric:.9g}") for each in reports]),
        ("its estimated error", [number_cell(f"{each.error_estimate:.1e}") for each in reports]),
    ]
    methods = " and ".join(sorted({each.method for each in reports}))
    reasons = [f"{name}: {each.reason}" for name, each in findings.checks.items() if each.reason]
    rows_checked = f"{findings.rows_checked} training rows"
    if findings.features_unchecked:
        rows_checked += f" without {findings.features_unchecked} of their features"
    start, end = (_steepest(findings, at_start) for at_start in (True, False))
    return [
        note(
            f"The gradient of the mean cross-entropy of {rows_checked} at the trained model, as the training takes it, "
            f"against {methods} (softgrad.check_gradient)."
        ),
        table("The worst component", ["by the", *map(numbers, findings.checks)], rows),
        *(element("p", reason, class_="warning") for reason in reasons),
        note(
            f"The largest component of the gradient of the whole objective by the coefficients was {start:.1e} at "
            f"coefficients of 0; at the trained model it is {end:.1e}."
        ),
    ]


def _steepest(findings: Findings, at_start: bool) -> float:
    """The largest component of the gradient of the mean loss and the penalty, at coefficients of 0 or the trained."""
    model, parameters = findings.model, findings.fitted.parameters
    features, codes, weights = findings.training.features, findings.training.codes, findings.training.weights
    coef, intercept = model.coef, model.intercept
    totals = np.bincount(codes, weights, minlength=len(intercept))
    if findings.class_weight == "balanced":
        weights = weights * (totals.sum() / len(totals) / totals)[codes]
        totals = np.bincount(codes, weights, minlength=len(intercept))
    if at_start:
        smoothing = parameters.label_smoothing
        shares = (1.0 - smoothing) * totals / totals.sum() + smoothing / len(totals)
        coef, intercept = np.zeros_like(coef), np.log(shares)
    _, gradients = softgrad.linear_cross_entropy.value_and_grad(
        features,
        coef,
        codes,
        intercept,
        sample_weight=weights,
        label_smoothing=parameters.label_smoothing,
        wrt=("weight",),
    )
    assert gradients.weight is not None
    return float(np.abs(gradients.weight + coef / (parameters.C * totals.sum())).max())


def training_section(findings: Findings) -> list[Html]:
    fitted, solution = findings.fitted, findings.fitted.solution
    losses = solution.objectives
    content = [
        facts(
            [
                ("solver", fitted.solver),
                ("C", "inf: no penalty" if np.inf == fitted.parameters.C else f"{fitted.parameters.C:g}"),
                ("iterations", str(solution.iterations)),
                ("seconds", f"{findings.seconds:.2f}"),
                ("relative gap to the optimum, estimated", f"{solution.relative_gap:.1e}"),
                ("converged", "yes" if solution.obstacle is None else "no"),
            ]
        ),
        figure(
            loss_curve(losses),
            f"The objective, mean loss and penalty: {losses[0]:.4g} at the start, {losses[-1]:.6g} at the end.",
        ),
        note(f"Why this solver: {fitted.solver_reason}."),
    ]
    if fitted.shortfall is not None:
        content.insert(1, element("p", f"Not converged: {fitted.shortfall}", class_="warning"))
    return content
