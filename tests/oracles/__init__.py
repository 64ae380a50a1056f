"""Exact values to measure against; nothing here imports the code under test.

`multiprecision` holds the formulas in mpmath at 50 digits, `generate` writes the committed tables with it,
`exact` computes whole arrays in extended precision and is itself checked against mpmath, `inputs` draws the
input families, `bounds` is the table of promised accuracies and `ulp` the metric.
"""
