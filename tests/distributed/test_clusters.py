"""Ray's actors and Dask's workers: the bits of one machine, whatever becomes of them; and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import psutil
import pytest
import ray

from softgrad.distributed import _dask, _pooled_stream, _ray, _timed_engine, dask_rows, ray_rows
from softgrad.distributed._pooled_stream import PooledStream
from softgrad.linear_model import SoftmaxRegression
from tests.distributed.shards import CASES, Case, assert_same_bits, dense
from tests.oracles.inputs import fresh_rng

# Of the engines themselves, at their start.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


class Cluster(ABC):
    """A cluster of four workers that is there before: rows connect to it, and leave it as it was."""

    @abstractmethod
    def __init__(self, stack: ExitStack) -> None: ...

    @property
    @abstractmethod
    def address(self) -> str: ...

    @abstractmethod
    def rows(self, case: Case, workers: int, **options: Any) -> PooledStream: ...

    @abstractmethod
    def processes(self, rows: Any, /) -> list[int]:
        """The processes of the workers."""


class Ray(Cluster):
    def __init__(self, stack: ExitStack) -> None:
        stack.enter_context(_ray._own_cluster(4))

    @property
    def address(self) -> str:
        return ray.get_runtime_context().gcs_address

    def rows(self, case: Case, workers: int, **options: Any) -> PooledStream:
        return ray_rows(case.folder, **case.names, workers=workers, **options)

    def processes(self, rows: Any, /) -> list[int]:
        return ray.get([actor.__ray_call__.remote(lambda _: os.getpid()) for actor in rows._engine._actors])


class Dask(Cluster):
    def __init__(self, stack: ExitStack) -> None:
        self.client: distributed.Client = stack.enter_context(_dask._own_cluster(4))

    @property
    def address(self) -> str:
        return self.client.scheduler.address

    def rows(self, case: Case, workers: int, **options: Any) -> PooledStream:
        # One that another test has ended may not be back yet, or still be listed.
        deadline = time.monotonic() + 30.0
        while len(self.client.run(os.getpid, on_error="ignore")) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return dask_rows(case.folder, **case.names, address=self.address, workers=workers, **options)

    def processes(self, _: Any, /) -> list[int]:
        return list(self.client.run(os.getpid).values())


@pytest.fixture(scope="module", params=[Ray, Dask], ids=["ray", "dask"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield request.param(stack)


def assert_bits_of_one_machine(case: Case, cluster: Cluster, workers: int) -> None:
    alone = case.fitted(case.folder, **case.names)
    with cluster.rows(case, workers) as rows:
        assert rows.n_workers == workers
        assert_same_bits(case.fitted(rows), alone)


@pytest.mark.parametrize("workers", [3, *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 2, 4))])
def test_the_bits_of_one_machine(cluster: Cluster, workers: int, tmp_path: Path) -> None:
    assert_bits_of_one_machine(dense(tmp_path, fresh_rng()), cluster, workers)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_fit(cluster: Cluster, name: str, tmp_path: Path) -> None:
    assert_bits_of_one_machine(CASES[name](tmp_path, fresh_rng()), cluster, 3)


@pytest.mark.slow
def test_large_sums_are_made_among_the_workers(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pooled_stream, "_MOST_GATHERED_BYTES", 0)
    assert_bits_of_one_machine(dense(tmp_path, fresh_rng()), cluster, 3)


def test_a_worker_is_killed_in_each_iteration(cluster: Cluster, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    alone = case.fitted(case.folder, **case.names)
    killed = []
    # All that there are: a killed one takes part.
    with cluster.rows(case, 4) as rows:

        def kill(_: object) -> None:
            process = cluster.processes(rows)[0]
            os.kill(process, signal.SIGKILL)
            killed.append(process)

        model = SoftmaxRegression(**case.parameters, callback=kill).fit_stream(rows)
    assert len(set(killed)) == model.n_iter_ > 2
    assert_same_bits(model, alone)


@pytest.mark.slow
def test_a_worker_hangs(cluster: Cluster, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    alone = case.fitted(case.folder, **case.names)
    stopped = []
    with cluster.rows(case, 4, timeout=5.0) as rows:

        def stop(report: Any) -> None:
            if report.iteration == 2:
                stopped.append(cluster.processes(rows)[0])
                os.kill(stopped[0], signal.SIGSTOP)

        model = SoftmaxRegression(**case.parameters, callback=stop).fit_stream(rows)
    assert stopped
    assert_same_bits(model, alone)


@pytest.mark.slow
def test_workers_that_are_too_slow_are_named(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = dense(tmp_path, fresh_rng())
    monkeypatch.setattr(_timed_engine, "RESTART_SECONDS", 0.0)
    late = r"worker [01], which has the shards \d to \d, took more than 1e-06 seconds"
    with cluster.rows(case, 2) as rows:
        monkeypatch.setattr(rows._engine, "_timeout", 1e-6)
        with pytest.raises(TimeoutError, match=late):
            case.fitted(rows)


class SlowTerm:
    """Its additions take a while."""

    def start(self) -> None:
        time.sleep(8.0)

    def add(self, total: None, value: object) -> None:
        pass


@pytest.mark.slow
def test_additions_that_are_too_slow(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = dense(tmp_path, fresh_rng())
    monkeypatch.setattr(_timed_engine, "RESTART_SECONDS", 0.0)
    with cluster.rows(case, 2) as rows:
        engine: Any = rows._engine
        (left,), (right,) = (engine.call(worker, "environment") for worker in (0, 1))
        total = engine.add(engine.put(SlowTerm()), left, right)
        monkeypatch.setattr(engine, "_timeout", 1.0)
        with pytest.raises(TimeoutError, match=r"worker 0, .* took more than 1 seconds"):
            engine.get([total])


@pytest.mark.slow
def test_a_fit_goes_on_with_other_workers(cluster: Cluster, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    alone = case.fitted(case.folder, **case.names)
    checkpoint = tmp_path.parent / f"{tmp_path.name}.checkpoint"

    def interrupt(report: Any) -> None:
        if report.iteration == 2:
            raise KeyboardInterrupt

    with cluster.rows(case, 2) as rows, pytest.raises(KeyboardInterrupt):
        SoftmaxRegression(**case.parameters, callback=interrupt).fit_stream(rows, checkpoint=checkpoint)
    with cluster.rows(case, 3) as rows:
        assert_same_bits(case.fitted(rows, checkpoint=checkpoint, resume=True), alone)
    assert_same_bits(case.fitted(case.folder, **case.names, checkpoint=checkpoint, resume=True), alone)


def test_more_workers_than_a_cluster_has(cluster: Cluster, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    with pytest.raises(ValueError, match=rf"^workers is 5; the (Ray|Dask) cluster at {cluster.address} has 4\b"):
        cluster.rows(case, 5)


class Other:
    """Somebody else's work."""


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [Ray], indirect=True, ids=["ray"])
def test_cpus_that_others_have_are_waited_for(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = dense(tmp_path, fresh_rng())
    other = ray.remote(num_cpus=1)(Other).remote()
    ray.get(other.__ray_ready__.remote())
    cpus = f"the Ray cluster at {cluster.address} has 4 CPUs, 0 of them free"
    with monkeypatch.context() as patched:
        patched.setattr(_ray, "RESTART_SECONDS", 0.5)
        with pytest.raises(TimeoutError, match=rf"^[1-4] of 4 workers did not start in 2\.5 seconds; {cpus}: "):
            cluster.rows(case, 4, timeout=2.0)
    leaving = threading.Timer(2.0, ray.kill, [other])
    leaving.start()
    with cluster.rows(case, 4):
        assert not leaving.is_alive()


def test_a_cluster_of_its_own_listens_on_this_machine_alone(cluster: Cluster, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    here = psutil.Process()
    with cluster.rows(case, 4) as rows:
        workers = cluster.processes(rows)
        listening = {process.pid: addresses_of(process) for process in (here, *here.children(recursive=True))}
    # So do the workers and this process; of Ray there are others.
    assert all(listening[process] for process in (here.pid, *workers))
    addresses = {address for of_process in listening.values() for address in of_process}
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def addresses_of(process: psutil.Process) -> set[str]:
    """Where a process listens."""
    try:
        connections = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named(cluster: Cluster, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    with cluster.rows(case, 2) as rows:
        (case.folder / "3.parquet").unlink()
        with pytest.raises((ValueError, OSError), match=r"3\.parquet"):
            case.fitted(rows)


@pytest.mark.slow
def test_a_cluster_that_was_there_stays(cluster: Cluster, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    before = dict(os.environ)
    with cluster.rows(case, 2) as rows:
        processes = cluster.processes(rows)
    assert dict(os.environ) == before
    if isinstance(cluster, Dask):
        assert cluster.processes(None) == processes
        return
    assert ray.cluster_resources()["CPU"] == 4
    # Its actors are those of the rows.
    end = time.monotonic() + 10.0
    while any(Path(f"/proc/{process}").exists() for process in processes):
        assert time.monotonic() < end
        time.sleep(0.05)


ALONE = """
import os, sys, tempfile
from pathlib import Path
from softgrad import distributed
from softgrad.linear_model import SoftmaxRegression

def folders():
    return set(Path(tempfile.gettempdir()).glob(f"softgrad-{engine}-{os.getpid()}-*"))

data, engine = sys.argv[1:]
before = dict(os.environ)
os.environ["OF_THE_USER"] = "kept"
with getattr(distributed, f"{engine}_rows")(data, "y", workers=2) as rows:
    assert len(folders()) == 1
    model = SoftmaxRegression(tol=1e-12).fit_stream(rows)
    assert os.environ.pop("OF_THE_USER") == "kept"
    os.environ["SET_MEANWHILE"] = "kept"
assert os.environ.pop("SET_MEANWHILE") == "kept"
assert not folders()
assert dict(os.environ) == before, set(os.environ) ^ set(before)
print(model.coef_.tobytes().hex())
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_nothing_is_left_of_a_cluster_of_its_own(engine: str, tmp_path: Path) -> None:
    data, home = (tmp_path / name for name in ("data", "home"))
    data.mkdir()
    home.mkdir()
    case = dense(data, fresh_rng())
    environment = os.environ | {"HOME": str(home)}
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(data), engine], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    alone = case.fitted(case.folder, **case.names)
    np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(ran.stdout)), alone.coef_.ravel())
    assert list(home.rglob("*")) == []


TOLD = """
import sys, time
from pathlib import Path
from softgrad import distributed
from softgrad.linear_model import SoftmaxRegression

if __name__ == "__main__":
    data, engine, checkpoint = sys.argv[1:]
    with getattr(distributed, f"{engine}_rows")(data, "y", workers=2) as rows:
        model = SoftmaxRegression(tol=1e-12, callback=lambda report: print(report.iteration, flush=True))
        try:
            model.fit_stream(rows, checkpoint=checkpoint)
        except KeyboardInterrupt:
            print(f"interrupted {time.monotonic()}", flush=True)
            raise
"""


@contextmanager
def in_its_second_iteration(
    case: Case, engine: str, checkpoint: Path, program: Path
) -> Iterator[subprocess.Popen[str]]:
    """A process of a group of its own that fits on a cluster of its own."""
    program.write_text(TOLD)
    command = [sys.executable, program, case.folder, engine, checkpoint]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "2\n":
                break
        yield process


def folders_of(process: int) -> list[Path]:
    return list(Path("/tmp").glob(f"softgrad-*-{process}-*"))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_ctrl_c_ends_the_fit_and_the_cluster(engine: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    case = dense(tmp_path / "data", fresh_rng())
    with in_its_second_iteration(case, engine, tmp_path / "checkpoint", tmp_path / "program.py") as process:
        assert len(folders_of(process.pid)) == 1
        sent = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate()
    assert process.returncode == -signal.SIGINT
    (at,) = [float(line.split()[1]) for line in told.splitlines() if line.startswith("interrupted")]
    assert at - sent < 1.0
    assert folders_of(process.pid) == []
    # multiprocessing's resource tracker ends by itself, when it sees that the driver has ended.
    deadline = time.monotonic() + 5.0
    while others := others_of_session(process.pid):
        assert time.monotonic() < deadline, others
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_the_driver_is_killed_and_another_goes_on(engine: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    case = dense(tmp_path / "data", fresh_rng())
    checkpoint = tmp_path / "checkpoint"
    with in_its_second_iteration(case, engine, checkpoint, tmp_path / "program.py") as process:
        process.kill()
    for folder in folders_of(process.pid):
        shutil.rmtree(folder, ignore_errors=True)
    model = case.fitted(case.folder, **case.names, checkpoint=checkpoint, resume=True)
    assert_same_bits(model, case.fitted(case.folder, **case.names))


def others_of_session(session: int) -> list[int]:
    """The processes of a session, as field 6 of /proc/PID/stat says, that are no zombies."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(of) == session and state != "Z":
                found.append(int(folder.name))
    return found
