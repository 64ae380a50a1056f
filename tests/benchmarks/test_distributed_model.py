"""The model of a pass on a cluster: its limits, and the costs that it is given by passes that were measured."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from benchmarks._distributed_model import Cluster, Machine, Pass, best_workers, seconds_of

from softgrad.distributed._pooled_stream import _MOST_GATHERED_BYTES
from tests.oracles.inputs import fresh_rng

EPS = np.finfo(float).eps
FREE = Cluster(0.0, 0.0, 0.0)
# What a byte costs, and nothing else.
BYTES = Cluster(0.0, 0.0, 1.0)


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 8, 1000])
def test_work_is_shared_as_evenly_as_shards_can_be(workers: int) -> None:
    longest = math.ceil(8 / min(workers, 8))
    assert seconds_of(Pass(8.0, 8, 100), workers, FREE) == longest


def test_one_worker_costs_a_call_and_the_parameters_there_and_back() -> None:
    assert seconds_of(Pass(0.0, 8, 100), 1, Cluster(1000.0, 10.0, 0.25)) == 1000.0 + 10.0 + 2 * 100 * 0.25


def test_small_sums_of_all_workers_go_to_the_driver() -> None:
    assert seconds_of(Pass(0.0, 1024, 100), 256, BYTES) == 100 * 2 * 256
    # Of 8 shards three workers have 2, 3 and 3, which are nodes of 2; 2 and 1; 1 and 2.
    assert seconds_of(Pass(0.0, 8, 100), 3, BYTES) == 100 * (3 + 5)


@pytest.mark.parametrize("workers", [1, 2, 64, 1000])
def test_large_sums_go_up_a_tree(workers: int) -> None:
    nbytes = _MOST_GATHERED_BYTES + 8
    levels = math.ceil(math.log2(workers))
    assert seconds_of(Pass(0.0, workers, nbytes), workers, BYTES) == nbytes * (workers + levels + 1)
    # Each addition is a call.
    assert seconds_of(Pass(0.0, workers, nbytes), workers, Cluster(0.0, 1.0, 0.0)) == 2 * workers - 1
    assert seconds_of(Pass(0.0, workers, nbytes - 8), workers, BYTES) == (nbytes - 8) * 2 * workers


def test_more_workers_stop_to_help_where_the_formula_says() -> None:
    cluster = Cluster(5e-3, 1e-3, 1e-9)
    of = Pass(16.0, 1024, 10**6)
    a_worker = cluster.a_call + 2 * of.nbytes * cluster.a_byte
    expected = math.sqrt(of.work / a_worker)
    best = best_workers(of, cluster, 1000)
    assert expected / math.sqrt(2) <= best <= expected * math.sqrt(2)
    assert best_workers(of, FREE, 1000) == 512
    # With all that there are, calls take longer than the work of one.
    assert seconds_of(Pass(0.5, 1000, 10**6), 1000, cluster) > seconds_of(Pass(0.5, 1000, 10**6), 1, cluster)


def test_the_costs_that_passes_were_made_of_are_found() -> None:
    cluster = Cluster(*fresh_rng().uniform(0.5, 2.0, 3) * (1e-3, 1e-3, 1e-9))
    passes = [(Pass(0.01, 4, nbytes), workers) for nbytes, workers in product((10**4, 10**6), (1, 2, 4))]
    found = Cluster.fitted(cluster.a_call, [(*each, seconds_of(*each, cluster)) for each in passes])
    # The condition of six passes of two costs is below a hundred.
    tolerance = 1024 * EPS
    np.testing.assert_allclose(
        (found.a_pass, found.a_call, found.a_byte), (cluster.a_pass, cluster.a_call, cluster.a_byte), rtol=tolerance
    )
    # Workers that share their cores with another process are not paid for being faster.
    assert Cluster.fitted(0.0, [(*each, 0.001) for each in passes]) == FREE


def test_the_work_of_a_machine_is_found() -> None:
    machine = Machine(*fresh_rng().uniform(0.5, 2.0, 2) * (5e-9, 1e-10))
    shapes = [(800_000, 30, 5), (160_000, 100, 100)]
    found = Machine.fitted([(shape, machine.seconds(*shape)) for shape in shapes])
    np.testing.assert_allclose(
        (found.an_entry, found.a_product), (machine.an_entry, machine.a_product), rtol=1024 * EPS
    )
