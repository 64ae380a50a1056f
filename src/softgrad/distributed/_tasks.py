"""Tasks of joblib on a cluster."""

from __future__ import annotations

from softgrad.distributed._extras import require


def register_ray() -> None:
    """Make "ray" a backend of joblib, for the folds of `SoftmaxRegressionCV` and for other tasks.

    It differs from that of `ray.util.joblib.register_ray` in two things: what several tasks have in common is put into
    Ray's object store once, not once for each, and `n_jobs=None` is all CPUs of the cluster. The cluster is that of
    `ray.init`.

    Raises
    ------
    ImportError
        Ray is not installed.

    See Also
    --------
    ray_rows : Rows of files that the workers of a Ray cluster read.

    Notes
    -----
    Dask needs no such function: joblib has its backend, for the `distributed.Client` that is there.

    Examples
    --------
    ::

        ray.init("auto")
        register_ray()
        with joblib.parallel_config(backend="ray"):
            model = SoftmaxRegressionCV().fit(X, y)
    """
    require("ray")
    from joblib import register_parallel_backend

    from softgrad.distributed._ray_backend import SharingRayBackend

    register_parallel_backend("ray", SharingRayBackend)
