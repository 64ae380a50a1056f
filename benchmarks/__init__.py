"""Measurements of softgrad and its peers: one module per question, each run as `python -m benchmarks.NAME`."""
