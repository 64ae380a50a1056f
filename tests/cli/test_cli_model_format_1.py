"""Model files of format 1 are read, as they were written before there was another."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from softgrad.cli.model_file import load_model
from softgrad.cli.preprocessing import NumberColumn, TextColumn
from tests.cli.conftest import fails, succeeds

# Of the table x,c,y with the rows 1,u,a 2,v,a 3,u,b 4,v,b.
OF_A_TABLE = base64.b64decode(
    "+AIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJzb2Z0Z3JhZCI6IntcImZvcm1hdFwiOiAxLCBcInNvZnRncmFkXCI6IFwiMC4xLjBcIiwgXCJ0YXJn"
    "ZXRcIjogXCJ5XCIsIFwiY29sdW1uc1wiOiBbe1wibmFtZVwiOiBcInhcIiwgXCJtZWFuXCI6IDIuNSwgXCJzY2FsZVwiOiAxLjExODAzMzk4ODc0"
    "OTg5NX0sIHtcIm5hbWVcIjogXCJjXCIsIFwiY2F0ZWdvcmllc1wiOiBbXCJ1XCIsIFwidlwiXX1dLCBcImNsYXNzZXNcIjoge1wia2luZFwiOiBc"
    "InRleHRcIiwgXCJsYWJlbHNcIjogW1wiYVwiLCBcImJcIl19LCBcInRyYWluaW5nXCI6IHtcInJvd3NcIjogNCwgXCJ0cmFpbl9yb3dzXCI6IDQs"
    "IFwidGVzdF9yb3dzXCI6IDAsIFwiZmVhdHVyZXNcIjogMywgXCJDXCI6IDEuMCwgXCJzZWVkXCI6IDAsIFwidGVzdF9mcmFjdGlvblwiOiAwLjAs"
    "IFwic29sdmVyXCI6IFwibmV3dG9uLWNob2xlc2t5XCIsIFwiaXRlcmF0aW9uc1wiOiAzLCBcImNvbnZlcmdlZFwiOiB0cnVlLCBcInRyYWluaW5n"
    "X2xvc3NcIjogMC4yNjI1NTM0MDgxMjk4ODk2LCBcInRyYWluaW5nX2FjY3VyYWN5XCI6IDEuMH0sIFwic2hhMjU2XCI6IFwiNGQ4YzhiNzNkOTQy"
    "ZTgwMTBiZTYzMTJkZjkyM2Q5NDBjYzQzMTM1ZjE4Y2E5ZjFiMTY1ZjdmYzI3ZTc3Y2NiOVwifSJ9LCJjb2VmIjp7ImR0eXBlIjoiRjY0Iiwic2hh"
    "cGUiOlsyLDNdLCJkYXRhX29mZnNldHMiOlswLDQ4XX0sImludGVyY2VwdCI6eyJkdHlwZSI6IkY2NCIsInNoYXBlIjpbMl0sImRhdGFfb2Zmc2V0"
    "cyI6WzQ4LDY0XX19fojqu9N25r9PA+aerWbAv08D5p6tZsA/fojqu9N25j9PA+aerWbAP08D5p6tZsC/bl/T67e3TrxuX9Prt7dOPA=="
)
# Of the lines "1 1:1" and "0 3:2".
OF_AN_SVMLIGHT_FILE = base64.b64decode(
    "IAMAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJzb2Z0Z3JhZCI6IntcImZvcm1hdFwiOiAxLCBcInNvZnRncmFkXCI6IFwiMC4xLjBcIiwgXCJ0YXJn"
    "ZXRcIjogXCJsYWJlbFwiLCBcImNvbHVtbnNcIjogW3tcIm5hbWVcIjogXCIxXCIsIFwibWVhblwiOiAwLjAsIFwic2NhbGVcIjogMS4wfSwge1wi"
    "bmFtZVwiOiBcIjJcIiwgXCJtZWFuXCI6IDAuMCwgXCJzY2FsZVwiOiAxLjB9LCB7XCJuYW1lXCI6IFwiM1wiLCBcIm1lYW5cIjogMC4wLCBcInNj"
    "YWxlXCI6IDEuMH1dLCBcImNsYXNzZXNcIjoge1wia2luZFwiOiBcImludGVnZXJcIiwgXCJsYWJlbHNcIjogWzAsIDFdfSwgXCJ0cmFpbmluZ1wi"
    "OiB7XCJyb3dzXCI6IDIsIFwidHJhaW5fcm93c1wiOiAyLCBcInRlc3Rfcm93c1wiOiAwLCBcImZlYXR1cmVzXCI6IDMsIFwiQ1wiOiAxLjAsIFwi"
    "c2VlZFwiOiAwLCBcInRlc3RfZnJhY3Rpb25cIjogMC4wLCBcInNvbHZlclwiOiBcIm5ld3Rvbi1jaG9sZXNreVwiLCBcIml0ZXJhdGlvbnNcIjog"
    "MiwgXCJjb252ZXJnZWRcIjogdHJ1ZSwgXCJ0cmFpbmluZ19sb3NzXCI6IDAuMjY4NjYxNTk2OTIyMzkyNTUsIFwidHJhaW5pbmdfYWNjdXJhY3lc"
    "IjogMS4wfSwgXCJzaGEyNTZcIjogXCJjNTkxOTcwY2Y3NjhjM2M2NWRjOThiNjU2NjVlMDA3ZjIxNGM2ZjFjYTcyYTA1ZjA5MGQwNTMxYzAxODQ1"
    "MzQ1XCJ9In0sImNvZWYiOnsiZHR5cGUiOiJGNjQiLCJzaGFwZSI6WzIsM10sImRhdGFfb2Zmc2V0cyI6WzAsNDhdfSwiaW50ZXJjZXB0Ijp7ImR0"
    "eXBlIjoiRjY0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbNDgsNjRdfX0gICAgICv2TbBdIc6/AAAAAAAAAAAo9k2wXSHePyv2TbBdIc4/"
    "AAAAAAAAAAAo9k2wXSHev514OkQGmda/nXg6RAaZ1j8="
)


def probabilities(csv: str) -> np.ndarray:
    return np.array([[float(cell) for cell in line.split(",")[1:]] for line in csv.splitlines()[1:]])


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(np.float64).eps, atol=0)


def test_of_a_table() -> None:
    Path("model").write_bytes(OF_A_TABLE)
    model = load_model(Path("model"))
    assert model.columns == (NumberColumn("x", 2.5, np.sqrt(1.25)), TextColumn("c", ("u", "v")))
    assert (model.target, model.classes.kind, model.classes.labels) == ("y", "text", ("a", "b"))
    assert model.training["iterations"] == 3
    Path("data.csv").write_text("x,c,y\n1,u,a\n2,v,a\n3,u,b\n4,v,b\n")
    # What the version that wrote the file predicted.
    expected = [[0.8358146350865284, 0.1641853649134716], [0.7076834446057825, 0.2923165553942175]]
    assert_close(probabilities(succeeds("predict", "model", "data.csv").stdout)[:2], np.array(expected))
    assert succeeds("evaluate", "model", "data.csv", "--json").json["accuracy"] == 1.0


def test_of_an_svmlight_file() -> None:
    Path("model").write_bytes(OF_AN_SVMLIGHT_FILE)
    assert [column.name for column in load_model(Path("model")).columns] == ["1", "2", "3"]
    Path("rows.svm").write_text("1 1:1\n0 2:7 3:2\n")
    expected = [[0.23559811216386076, 0.7644018878361393], [0.7644018878361393, 0.2355981121638607]]
    assert_close(probabilities(succeeds("predict", "model", "rows.svm").stdout), np.array(expected))
    Path("rows.svm").write_text("1 4:1\n")
    assert fails("predict", "model", "rows.svm") == "rows.svm, row 1: the model knows no feature 4, only 1 to 3"
