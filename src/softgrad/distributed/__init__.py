"""Rows that the workers of a cluster read: `SoftmaxRegression.fit_stream` takes them as it takes a file.

The rows lie in shards, which the files alone decide, and all sums over the rows are made shard by shard and added in
one binary tree. So a fit has the same bits with any number of workers, on either engine, and where one machine reads
the same files.

`register_ray` is for tasks, as the folds of a `SoftmaxRegressionCV` are.
"""

from softgrad.distributed._rows import dask_rows, ray_rows
from softgrad.distributed._tasks import register_ray

__all__ = ["dask_rows", "ray_rows", "register_ray"]
