"""What a function gives of each shard on a cluster, and what a user did wrong in one of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from softgrad.cli.errors import UserError
from softgrad.distributed._engine import Engine

Result = TypeVar("Result")


def results(engine: Engine, function: Callable[[Any], Result]) -> list[Result]:
    """What a function gives of each shard, in their order; it must be one that can be pickled.

    Of several shards where it raises UserError the first one counts, as in one pass over them.
    """
    given: list[Result] = []
    for attempt in attempts(engine, function):
        if isinstance(attempt, UserError):
            raise attempt
        given.append(attempt)
    return given


def attempts(engine: Engine, function: Callable[[Any], Result]) -> list[Result | UserError]:
    """Likewise, with the errors in their places."""
    return engine.of_shards("results", engine.put(partial(_attempt, function)))


def _attempt(function: Callable[[Any], Result], shard: Any) -> Result | UserError:
    # An error that is raised there would reach this process in the order of the workers.
    try:
        return function(shard)
    except UserError as error:
        return error
