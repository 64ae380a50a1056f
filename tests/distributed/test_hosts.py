"""A Ray cluster of three hosts, which are network namespaces of this machine; one is cut off during a fit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from tests.distributed.shards import dense
from tests.oracles.inputs import fresh_rng

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("ip") is None, reason="network namespaces need root and iproute2"
    ),
]

# A host that no longer answers is given up after three seconds, not after half a minute.
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
HEAD = ("10.77.0.1", 6379)
ADDRESS = "{}:{}".format(*HEAD)

FIT = """
import json, subprocess, sys, time
import ray
from softgrad.distributed import ray_rows
from softgrad.linear_model import SoftmaxRegression

data, address, *cut = sys.argv[1:]
ray.init(address, log_to_driver=False)
deadline = time.monotonic() + 150.0
while sum(node["Alive"] for node in ray.nodes()) < 3:
    assert time.monotonic() < deadline, ray.nodes()
    time.sleep(0.1)
with ray_rows(data, "y", workers=3) as rows:
    def hosts():
        asked = [actor.__ray_call__.remote(lambda _: ray.util.get_node_ip_address()) for actor in rows._engine._actors]
        return ray.get(asked)

    def told(report):
        if report.iteration == 2:
            subprocess.run(cut, check=True)

    before = hosts()
    model = SoftmaxRegression(tol=1e-12, callback=told).fit_stream(rows)
    print(json.dumps([before, hosts(), model.coef_.tolist()]))
"""


class Hosts:
    """Namespaces of three hosts on one bridge, which has a namespace of its own."""

    def __init__(self) -> None:
        self._prefix = f"softgrad-{os.getpid()}"
        self.hub = f"{self._prefix}-hub"
        self.names = [f"{self._prefix}-{number}" for number in (1, 2, 3)]

    def open(self) -> None:
        for name in (self.hub, *self.names):
            ip("netns", "add", name)
        ip("-n", self.hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.hub, "link", "set", "bridge", "up")
        for number, name in enumerate(self.names, 1):
            port = f"port{number}"
            ip("link", "add", "host", "netns", name, "type", "veth", "peer", "name", port, "netns", self.hub)
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "host")
            ip("-n", name, "link", "set", "host", "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", self.hub, "link", "set", port, "master", "bridge", "up")

    def close(self) -> None:
        for name in (*self.names, self.hub):
            inside = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
            for process in inside.stdout.split():
                os.kill(int(process), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def inside(self, number: int) -> list[str]:
        """What runs a command on a host, 1 to 3."""
        return ["ip", "netns", "exec", self.names[number - 1]]

    def wait_for_head(self) -> None:
        """Others that find none end."""
        answers = f"import socket; socket.create_connection({HEAD}, timeout=1.0)"
        deadline = time.monotonic() + 120.0
        while subprocess.run(
            [*self.inside(2), sys.executable, "-c", answers], capture_output=True, check=False
        ).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.5)

    def start(self, number: int, *options: str) -> subprocess.Popen[bytes]:
        """Ray on a host; on a busy machine it may give up before it has begun, and is started again."""
        again = 'until "$@"; do sleep 1; done'
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
        inside = [*self.inside(number), "sh", "-c", again, "sh", *ray]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(inside, env=os.environ | ENVIRONMENT, stdout=quiet, stderr=quiet)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """With Ray on each: one CPU on the first, two on the others."""
    with ExitStack() as stack:
        # The path of a socket has 107 bytes at most.
        folder = mkdtemp(prefix="ray-", dir="/tmp")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        hosts = Hosts()
        stack.callback(hosts.close)
        hosts.open()
        at = "--node-ip-address=10.77.0."
        options = ["--head", "--port=6379", "--include-dashboard=false", f"--temp-dir={folder}"]
        started = [hosts.start(1, *options, f"{at}1", "--num-cpus=1")]
        hosts.wait_for_head()
        for number in (2, 3):
            started.append(hosts.start(number, f"--address={ADDRESS}", f"{at}{number}", "--num-cpus=2"))
        stack.callback(lambda: [process.wait() for process in started])
        stack.callback(hosts.close)
        yield hosts


def test_a_host_is_cut_off(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    case = dense(tmp_path / "data", fresh_rng())
    program = tmp_path / "fit.py"
    program.write_text(FIT)
    cut = ["ip", "-n", hosts.hub, "link", "set", "port3", "down"]
    command = [*hosts.inside(1), sys.executable, program, case.folder, ADDRESS, *cut]
    fit = subprocess.run(
        command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300.0
    )
    assert fit.returncode == 0, fit.stderr
    before, after, coef = json.loads(fit.stdout.splitlines()[-1])
    assert "10.77.0.3" in before
    assert "10.77.0.3" not in after
    alone = case.fitted(case.folder, **case.names)
    np.testing.assert_array_equal(np.array(coef), alone.coef_)
