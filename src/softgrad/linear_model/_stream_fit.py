"""The method that fits to rows that need not fit into memory."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softgrad._float_mode import in_ieee_mode
from softgrad.linear_model._callbacks import FitTask, with_callbacks
from softgrad.linear_model._data._class_weights import ClassWeight
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._rows import RowSource
from softgrad.linear_model._data._sources import Source, local_files, stream_of
from softgrad.linear_model._fit import Coefficients, FitParameters
from softgrad.linear_model._scikit_learn import checks_parameters
from softgrad.linear_model._solvers._checkpoint import checkpoint_place
from softgrad.linear_model._solvers._iteration import State
from softgrad.linear_model._stream_start import stream_start


class StreamFit:
    """The method of an estimator with the parameters of `SoftmaxRegression`, which fits to a `RowSource` itself."""

    class_weight: ClassWeight
    max_iter: int
    n_features_in_: int

    @abstractmethod
    def _fit_parameters(self) -> FitParameters: ...

    @abstractmethod
    def _previous_fit(self, classes: NDArray[Any], n_features: int) -> Coefficients | None: ...

    @abstractmethod
    def _fit_rows(
        self,
        source: RowSource,
        classes: NDArray[Any],
        task: FitTask,
        previous: Coefficients | None,
        *,
        state: State | None,
        keep: Callable[[State], object] | None,
    ) -> Self: ...

    @checks_parameters
    @with_callbacks
    @in_ieee_mode
    def fit_stream(
        self,
        source: Source,
        target: str | Sequence[str] | None = None,
        *,
        sample_weight: str | None = None,
        indices: str | None = None,
        read_options: ReadOptions | Mapping[str, Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> Self:
        """Fit to rows that need not fit into memory, to the same optimum as `fit`.

        The source is read many times: four times before the first iteration, then once for every product with the
        Hessian and every step that is tried. Without a penalty it is read once more before, and a few times more in
        each iteration. Files with columns are read one piece ahead by a thread; an iterable is iterated in the calling
        thread.

        Parameters
        ----------
        source : path or list of paths, pyarrow.dataset.Dataset, iterable that starts again, or function that gives one
            A file ends in .csv, .tsv, .parquet, .feather, .arrow or .svmlight (.libsvm, .svm), unless `read_options`
            name the format; each may be compressed (.gz, .bz2, .xz, .zst). It may be a pipe; "-" is standard input. A
            path may also be a folder, for all files below it; a pattern with ``*``, ``?``, ``[...]`` or ``**``; or a
            URI of `pyarrow.fs` (file, s3, gs, ...) or of fsspec, of a file, a folder or a pattern. Files of a folder or
            pattern are sorted by path; names that begin with "." or "_" are left out. Folders called KEY=VALUE, below
            the one that is named or from the first wildcard on, are columns. All files have the format, and the names
            and types of the columns that are read, of the first. Of a dataset, the Parquet, Feather and Arrow files are
            read, by its schema. The batches of an iterable are record batches, tables or frames that Arrow can read,
            all with the same columns; or, without `target`, tuples ``(X, y)`` or ``(X, y, sample_weight)`` of arrays, X
            dense or sparse and y as in `fit`. The columns besides `target` and `sample_weight` are the features; they
            hold numbers, truth values or lists of these, finite and none missing. Features are float32 if all of them
            are, else float64.
        target : str or sequence of str, optional
            The column of the labels: integers, text or booleans. Those of a text file are integers if all of them are
            written as such, without zeros before them, else text. Or, for class probabilities as in `fit`: the column
            of lists of them, the classes being 0 to K - 1; or the names of K columns, at least two, each with the
            probabilities of the class of its name. `classes_` is ascending.
        sample_weight : str, optional
            The column of the row weights, none negative.
        indices : str, optional
            The column of lists of the features that a row has, by numbers from 0; there are no other columns of
            features then. Rows are sparse: each number counts 1, and the others 0. There are as many features as the
            largest number of all rows tells.
        read_options : ReadOptions or mapping with its fields, optional
            How a file is read: its format, delimiter, decimal and thousands characters, encoding, whether it has a
            header, the words for a missing cell, and which columns are features. `target`, `sample_weight` and
            `indices` are read in any case.
        checkpoint : path, optional
            Where the state of the fit is written before every iteration, in place of the state before. It must not be
            there yet, unless `resume` is True. It stays when the fit has ended.
        resume : bool, default False
            Go on from the checkpoint. On the same machine the result is then that of the fit without an interruption,
            bit for bit. What `polish` does is done again from its start.

        Returns
        -------
        SoftmaxRegression
            Itself.

        Raises
        ------
        ValueError
            As in `fit`; also if a cell is missing or no number, a list has another length than the first of its
            column, a column is named for two things, an option is not for the format, a file or a batch has other
            columns than the first, the source changes between two passes, or the checkpoint is a file of the source, is
            damaged, or is of other data or parameters. What is wrong in a file is named with the file and its row
            there.
        TypeError
            The source gives its batches only once, a column is not named by text, or its type is not for its use.
        FileExistsError, FileNotFoundError
            The checkpoint is there without `resume`, or is not there with it.
        OSError
            A file cannot be read, or the checkpoint not be written: the one before is still there.
        ImportError
            The source needs pyarrow or fsspec, or the checkpoint safetensors, and it is not installed.

        Notes
        -----
        In memory are a few pieces of 4 MiB of the rows, with their class probabilities if they have such (or 256 rows,
        if that is more), what the reader holds (of a text file a few blocks of 1 MiB, or of 256 rows up to 32 MiB; of a
        Parquet file up to 3 MiB a column, of an Arrow or Feather file a record batch; of a file behind a URI up to
        32 MiB more, or 64 KiB a column), some 20 arrays of the size of `coef_`, 40 more during L-BFGS, and what the
        solver holds in `fit`. The number of rows does not matter, and of a file that is not being read some kilobytes
        are held. Those 40 are in the checkpoint, too; while it is written they are there three times.

        Each file is a shard, and so are the row groups of a large Parquet file that together have 64 MiB or more,
        decoded: sums are made shard by shard, and added in one binary tree over their order.

        The type of a column, in a file with types or in batches, says what it is:

        ===========================================  =================================================================
        type in Arrow                                what it is
        ===========================================  =================================================================
        integer, floating point                      a number; integers beyond 2**53 are rounded to float64
        decimal                                      a number, rounded to float64 to a few units in the last place; a
                                                     label without decimal places is an integer
        boolean                                      0 or 1; a label is False or True
        list of one of these, of any kind; tensor    a feature for each element: a[0], a[1] and so on of a column a;
        of fixed shape                               all rows have lists of the same length, which may be nested
        dictionary, run-end encoded                  what it stands for
        string, of any kind                          a label, and no feature
        date, timestamp, time, duration, interval    refused: it does not say which number is meant
        binary, struct, map, union, other extension  refused
        null                                         refused: row 1 has no value
        ===========================================  =================================================================

        The error names the column and what to do instead. A text file has no types: its features are numbers.

        Rows are counted from 1 in messages. `tol`, `max_iter` and what is only shown may differ when a fit is resumed.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from softgrad.linear_model import SoftmaxRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> batches = [(X[:80], y[:80]), (X[80:], y[80:])]
        >>> model = SoftmaxRegression(tol=1e-12).fit_stream(batches)
        >>> bool(abs(model.coef_ - SoftmaxRegression(tol=1e-12).fit(X, y).coef_).max() < 1e-9)
        True
        """
        parameters = self._fit_parameters()
        files = [] if checkpoint is None else local_files(source, read_options)
        place = checkpoint_place(checkpoint, resume=resume, files=files)
        stream = stream_of(source, target, sample_weight, read_options, indices)
        start = stream_start(stream, self.class_weight, parameters, place, resume=resume)
        survey = start.survey
        previous = self._previous_fit(survey.classes, survey.n_features)
        self.n_features_in_ = survey.n_features
        if survey.names is not None:
            self.feature_names_in_ = np.array(survey.names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        task = FitTask(self, None, None, None, int(self.max_iter))
        return self._fit_rows(start.rows, survey.classes, task, previous, state=start.state, keep=start.keep)
