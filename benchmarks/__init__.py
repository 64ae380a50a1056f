"""softgrad and its peers measured: `python -m benchmarks` for speed, `python -m benchmarks.accuracy` for accuracy."""
