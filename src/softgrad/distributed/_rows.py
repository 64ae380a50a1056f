"""The rows of files as a stream that a cluster reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from softgrad.distributed._engines import checked_workers, dask_engine, ray_engine
from softgrad.distributed._pooled_stream import PooledStream
from softgrad.linear_model import ReadOptions
from softgrad.linear_model._data._file_shards import Files, file_shards


def ray_rows(
    source: Files,
    target: str | Sequence[str] | None = None,
    *,
    sample_weight: str | None = None,
    indices: str | None = None,
    read_options: ReadOptions | Mapping[str, Any] | None = None,
    address: str = "local",
    workers: int | None = None,
    timeout: float = 3600.0,
) -> PooledStream:
    """Rows of files that the workers of a Ray cluster read.

    Parameters
    ----------
    source : path, sequence of paths or pyarrow.dataset.Dataset
        A file, a folder, a pattern or a URI, as in `SoftmaxRegression.fit_stream`; every worker must find the same
        files by these names.
    target : str or sequence of str, optional
        The column of the labels, or of lists of class probabilities; or the columns of the probabilities, one for each
        class. None for svmlight files alone.
    sample_weight : str, optional
        The column of the row weights, none negative.
    indices : str, optional
        The column of lists of the features that a row has, without others; rows are sparse then.
    read_options : ReadOptions or mapping with its fields, optional
        How the files are read.
    address : str, default "local"
        Of the cluster, as `ray.init` takes it; "auto" is the one that this machine belongs to. "local" starts one on
        this machine, which ends with the rows. Where `ray.init` was called before it is that cluster.
    workers : int, optional
        At most as many as there are shards; by default as many as the cluster has CPUs. They wait for CPUs that others
        have.
    timeout : float, default 3600
        Seconds that the workers may wait for CPUs, beside a minute to start, and that a pass of one over its shards may
        take. A worker that takes longer is ended, and another does the same in its place; if that takes longer, too, it
        is an error.

    Returns
    -------
    PooledStream
        What `SoftmaxRegression.fit_stream` takes as its source, as often as it is asked for; a context manager that
        ends the workers.

    Raises
    ------
    ValueError
        `workers` is below 1 or more than the cluster has CPUs, the files are of several formats or have other columns
        than the first, or `target`, `sample_weight` and `indices` are not for them.
    TypeError
        `workers` is no integer, or `target`, `sample_weight` or `indices` no name.
    OSError
        There is no such file, or it cannot be read; no cluster answers at the address; or the disk has no room for the
        files of one that is started.
    TimeoutError
        The CPUs of the cluster are there, but others had them for longer than `timeout`.
    ImportError
        Ray or pyarrow is not installed.

    See Also
    --------
    dask_rows : The same rows on a Dask cluster.

    Notes
    -----
    A shard is a file, or some row groups of a large Parquet file. Each worker has a run of neighbouring shards, one
    CPU and one thread; it reads its rows anew for every sum over them, and holds a few pieces of 4 MiB of them, as
    `fit_stream` does, beside the parameters and their sums. The result has the same bits with any number of workers,
    and where `fit_stream` reads the same files.

    A worker that dies is started again, and its call repeated. The fit raises RuntimeError where two workers have
    other versions, instruction sets or BLAS kernels, TimeoutError where a pass takes twice longer than `timeout`, and
    what a worker raises where a file cannot be read.

    A cluster of its own has its files, and the token its processes know each other by, in a folder of /tmp that is
    removed in the end; 16 MiB must be free there. It has no dashboard and sends no report of use.

    Examples
    --------
    ::

        with ray_rows("rows/*.parquet", "kind") as rows:
            model = SoftmaxRegression().fit_stream(rows)
    """
    workers = checked_workers(workers)
    shards = file_shards(source, target, sample_weight, ReadOptions.of(read_options), indices)
    return PooledStream(ray_engine(address, workers, timeout, shards))


def dask_rows(
    source: Files,
    target: str | Sequence[str] | None = None,
    *,
    sample_weight: str | None = None,
    indices: str | None = None,
    read_options: ReadOptions | Mapping[str, Any] | None = None,
    address: str = "local",
    workers: int | None = None,
    timeout: float = 3600.0,
) -> PooledStream:
    """Rows of files that the workers of a Dask cluster read.

    Parameters
    ----------
    source : path, sequence of paths or pyarrow.dataset.Dataset
        A file, a folder, a pattern or a URI, as in `SoftmaxRegression.fit_stream`; every worker must find the same
        files by these names.
    target : str or sequence of str, optional
        The column of the labels, or of lists of class probabilities; or the columns of the probabilities, one for each
        class. None for svmlight files alone.
    sample_weight : str, optional
        The column of the row weights, none negative.
    indices : str, optional
        The column of lists of the features that a row has, without others; rows are sparse then.
    read_options : ReadOptions or mapping with its fields, optional
        How the files are read.
    address : str, default "local"
        Of the scheduler, as `distributed.Client` takes it. "local" starts a cluster on this machine, which ends with
        the rows.
    workers : int, optional
        At most as many as there are shards; by default as many as the cluster has.
    timeout : float, default 3600
        Seconds that a pass of a worker over its shards may take. A worker that takes longer is ended, and another does
        the same in its place; if that takes longer, too, it is an error.

    Returns
    -------
    PooledStream
        What `SoftmaxRegression.fit_stream` takes as its source, as often as it is asked for; a context manager that
        ends the workers.

    Raises
    ------
    ValueError
        `workers` is below 1 or more than the cluster has, the files are of several formats or have other columns than
        the first, or `target`, `sample_weight` and `indices` are not for them.
    TypeError
        `workers` is no integer, or `target`, `sample_weight` or `indices` no name.
    OSError
        There is no such file, it cannot be read, or there is no scheduler at this address.
    ImportError
        Dask or pyarrow is not installed.

    See Also
    --------
    ray_rows : The same rows on a Ray cluster; its notes hold here, too.

    Notes
    -----
    The calls of a worker that dies are repeated by another. The processes of a cluster that was there before stay. A
    cluster of its own spawns processes that import the program: in a file it must be behind
    ``if __name__ == "__main__":``.

    Examples
    --------
    ::

        with dask_rows("rows/*.parquet", "kind", address="tcp://scheduler:8786") as rows:
            model = SoftmaxRegression().fit_stream(rows)
    """
    workers = checked_workers(workers)
    shards = file_shards(source, target, sample_weight, ReadOptions.of(read_options), indices)
    return PooledStream(dask_engine(address, workers, timeout, shards))
