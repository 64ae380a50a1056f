"""What a fit to a stream begins with: its rows, once they are surveyed, and what a checkpoint keeps of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from softgrad._float_mode import in_ieee_mode
from softgrad.linear_model._data._class_weights import ClassWeight, checked_class_weights
from softgrad.linear_model._data._rows import RowSource
from softgrad.linear_model._data._streams import Stream
from softgrad.linear_model._data._survey import Survey
from softgrad.linear_model._fit import FitParameters
from softgrad.linear_model._solvers._checkpoint import load_checkpoint, save_checkpoint
from softgrad.linear_model._solvers._iteration import State


class StreamStart(NamedTuple):
    """`state` and `keep` as `fit_rows` takes them; without a checkpoint there are none."""

    survey: Survey
    rows: RowSource
    state: State | None
    keep: Callable[[State], object] | None


@in_ieee_mode
def stream_start(
    stream: Stream, class_weight: ClassWeight, parameters: FitParameters, checkpoint: Path | None, *, resume: bool
) -> StreamStart:
    """Make the first pass, and read the checkpoint if the fit is resumed.

    Raises
    ------
    ValueError
        The rows cannot be fitted to, or the checkpoint is damaged, or of other data or parameters.
    """
    survey = stream.survey(digest=checkpoint is not None)
    class_weights = checked_class_weights(class_weight, survey.classes, survey.totals)
    state = keep = None
    if checkpoint is not None:
        fit = parameters.description() | {"class weights": class_weights.tolist()} | survey.description()
        state = load_checkpoint(checkpoint, fit) if resume else None
        keep = partial(save_checkpoint, checkpoint, fit)
    return StreamStart(survey, stream.rows(survey, class_weights), state, keep)
