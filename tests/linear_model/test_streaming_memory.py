"""A file trains in a quarter of its size, beyond what the imports take, to the optimum of the rows in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from softgrad.linear_model import SoftmaxRegression
from tests.linear_model import bounds
from tests.oracles.inputs import fresh_rng

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

ROWS, FEATURES = 3_500_000, 20

START = """
import json, sys
import numpy as np
from softgrad.linear_model import SoftmaxRegression
import pyarrow.parquet, pyarrow.compute, softgrad.cli.train, typer
from softgrad.cli.app import app
# Not ru_maxrss, which a child takes over from its parent.
status = lambda name: int(open("/proc/self/status").read().split(name)[1].split()[0]) * 1024
# What is touched at the first use.
X = np.random.default_rng(0).standard_normal((500, 8))
SoftmaxRegression().fit_stream([(X, np.arange(500) % 3)])
before = status("VmRSS:")
"""
LIBRARY = """
model = SoftmaxRegression(tol=1e-11).fit_stream(sys.argv[1], "y")
result = {"coef": model.coef_.tolist(), "objective": model.loss_curve_[-1]}
print(json.dumps({"peak": status("VmHWM:") - before} | result))
"""
COMMAND = """
arguments = ["train", sys.argv[1], "--target", "y", "--stream", "--test-fraction", "0"]
try:
    app([*arguments, "--json"])
except SystemExit as end:
    assert not end.code
print(json.dumps({"peak": status("VmHWM:") - before}))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = fresh_rng()
    path = tmp_path_factory.mktemp("data") / "data.parquet"
    truth = 0.5 * rng.standard_normal((3, FEATURES))
    writer = None
    for _ in range(ROWS // 100_000):
        X = rng.standard_normal((100_000, FEATURES))
        y = (X @ truth.T + rng.gumbel(size=(len(X), 3))).argmax(axis=1)
        table = pa.table({**{f"x{i}": column for i, column in enumerate(X.T)}, "y": y})
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema, use_dictionary=False)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return path


def run(program: str, data: Path) -> list[dict]:
    command = [sys.executable, "-c", START + program, str(data)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_fit_in_a_quarter_of_the_size_of_the_file(data: Path) -> None:
    size = data.stat().st_size
    (found,) = run(LIBRARY, data)
    print(f"file {size / 2**20:.0f} MiB, peak beyond the imports {found['peak'] / 2**20:.0f} MiB")
    assert found["peak"] < size / 4

    table = pyarrow.parquet.read_table(data)
    X = np.column_stack([table.column(i) for i in range(FEATURES)])
    model = SoftmaxRegression(tol=1e-11).fit(X, table.column("y").to_numpy())
    assert found["objective"] == pytest.approx(model.loss_curve_[-1], rel=2 * model.tol, abs=0.0)
    np.testing.assert_allclose(found["coef"], model.coef_, rtol=0, atol=bounds.of_coefficients(model, ROWS))


def test_the_command_in_a_quarter_of_the_size_of_the_file(data: Path) -> None:
    size = data.stat().st_size
    told, found = run(COMMAND, data)
    print(f"file {size / 2**20:.0f} MiB, peak beyond the imports {found['peak'] / 2**20:.0f} MiB")
    assert found["peak"] < size / 4
    assert told["rows"] == ROWS
    assert told["converged"] is True
