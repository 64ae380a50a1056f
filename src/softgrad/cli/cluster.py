"""The Ray cluster that a command was asked to use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from softgrad.cli.data import Data
from softgrad.cli.errors import UserError
from softgrad.linear_model._data._read_options import ReadOptions

if TYPE_CHECKING:
    from softgrad.distributed._engine import Engine, Shard

# Seconds that a worker may take for a pass over its shards.
TIMEOUT = 3600.0


@dataclass(frozen=True)
class Cluster:
    """Its address, and how many workers are asked of it; None: as many as it has CPUs."""

    address: str
    workers: int | None

    @classmethod
    def of(cls, address: str | None, workers: int | None) -> Cluster | None:
        """By the options of the command line."""
        if address is None:
            if workers is not None:
                raise UserError(f"--workers {workers}: of which cluster? Say --ray")
            return None
        if workers is not None and workers < 1:
            raise UserError(f"--workers is {workers}; it must be at least 1")
        return cls(address, workers)

    def check(self, data: Data, options: ReadOptions) -> None:
        """Refuses data that its workers could not read."""
        if data.built_in is not None:
            raise UserError(f"--ray {self.address}: its workers read files; {data} is none")
        for location in data.located(options).locations:
            if location.signature is None:
                raise UserError(f"--ray {self.address}: {location.name} can be read once only, and by this process")

    @contextmanager
    def reached(self) -> Iterator[None]:
        """It serves each `engine` in the block; raises UserError where Ray is not installed or there is none."""
        from softgrad.distributed._engines import ray_cluster

        with ExitStack() as stack:
            with self._errors():
                stack.enter_context(ray_cluster(self.address, self.workers))
            yield

    @contextmanager
    def engine(self, shards: Sequence[Shard]) -> Iterator[Engine]:
        """Its workers, which end with the block.

        Raises
        ------
        UserError
            Ray is not installed, there is no such cluster, it has fewer CPUs, or its workers differ from each other; in
            the block, one takes too long.
        """
        from softgrad.distributed._engines import ray_engine
        from softgrad.distributed._environment import DifferentWorkersError

        with self._errors():
            engine = ray_engine(self.address, self.workers, TIMEOUT, shards)
        with closing(engine):
            try:
                engine.check_workers()
                yield engine
            except (DifferentWorkersError, TimeoutError) as error:
                raise UserError(f"--ray {self.address}: {error}") from None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """A cluster that cannot be used is the user's error."""
        try:
            yield
        except (ImportError, ValueError, OSError) as error:
            raise UserError(f"--ray {self.address}: {error}") from None
