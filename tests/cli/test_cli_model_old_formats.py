"""Model files of formats 1 and 2 are read as the versions of softgrad that wrote them read them."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from softgrad.cli.columns import NumberColumn, TextColumn
from softgrad.cli.model_file import load_model
from softgrad.linear_model._data._read_options import ReadOptions
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


# Of format 2, of the table x,wild,c,y with the rows 1,true,u,a 2,false,v,a 3,true,u,b 4,false,v,b 5,true,u,b.
OF_A_TABLE_2 = base64.b64decode(
    "QAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJzb2Z0Z3JhZCI6IntcImZvcm1hdFwiOiAyLCBcInNoYTI1NlwiOiBcIjk4NTk4N2ZjM2RhZTAzOTNiZTM2"
    "ZTNjMWI2ZmViMDQxZWU3MDM0MjEwZmE4ZDg1ZWUzMGJlY2ZjMWViNGE2NmFcIn0ifSwiY29lZiI6eyJkdHlwZSI6IkY2NCIsInNoYXBlIjpbMiw0XSwi"
    "ZGF0YV9vZmZzZXRzIjpbMCw2NF19LCJpbnRlcmNlcHQiOnsiZHR5cGUiOiJGNjQiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOls2NCw4MF19LCJk"
    "ZXNjcmlwdGlvbiI6eyJkdHlwZSI6IlU4Iiwic2hhcGUiOls1MDNdLCJkYXRhX29mZnNldHMiOls4MCw1ODNdfX0gIPQ+fycxVui/3bXX29CMwb8DdPPj"
    "CjKxvwN08+MKMrE/9D5/JzFW6D/dtdfb0IzBPwN08+MKMrE/A3Tz4woysb94F7LGUbbUv3gXssZRttQ/eyJzb2Z0Z3JhZCI6ICIwLjEuMCIsICJ0YXJn"
    "ZXQiOiAieSIsICJjbGFzc2VzIjogeyJraW5kIjogInRleHQiLCAibGFiZWxzIjogWyJhIiwgImIiXX0sICJ0cmFpbmluZyI6IHsicm93cyI6IDUsICJ0"
    "cmFpbl9yb3dzIjogNSwgInRlc3Rfcm93cyI6IDAsICJmZWF0dXJlcyI6IDQsICJDIjogMS4wLCAic2VlZCI6IDAsICJ0ZXN0X2ZyYWN0aW9uIjogMC4w"
    "LCAic29sdmVyIjogIm5ld3Rvbi1jaG9sZXNreSIsICJpdGVyYXRpb25zIjogMywgImNvbnZlcmdlZCI6IHRydWUsICJ0cmFpbmluZ19sb3NzIjogMC4y"
    "NDQ1MTMxNjE2NTY3NTc1MiwgInRyYWluaW5nX2FjY3VyYWN5IjogMS4wfSwgImNvbHVtbnMiOiBbeyJuYW1lIjogIngiLCAibWVhbiI6IDMuMCwgInNj"
    "YWxlIjogMS40MTQyMTM1NjIzNzMwOTV9LCB7Im5hbWUiOiAid2lsZCIsICJtZWFuIjogMC42LCAic2NhbGUiOiAwLjQ4OTg5Nzk0ODU1NjYzNTY1fSwg"
    "eyJuYW1lIjogImMiLCAiY2F0ZWdvcmllcyI6IFsidSIsICJ2Il19XX0="
)
# Of format 2, of the lines "1 3:1" and "0 9:2".
OF_AN_SVMLIGHT_FILE_2 = base64.b64decode(
    "gAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJzb2Z0Z3JhZCI6IntcImZvcm1hdFwiOiAyLCBcInNoYTI1NlwiOiBcImM4ODQ4ZmE1MzVkNzA0ZjY3NjFm"
    "MmNkZTYwZjM5MGE4OTQxYzNlMTdmYTk1OWVjYWQ5YjJkMGU3M2I3ODZlZTZcIn0ifSwiaW5kaWNlcyI6eyJkdHlwZSI6Ikk2NCIsInNoYXBlIjpbMl0s"
    "ImRhdGFfb2Zmc2V0cyI6WzAsMTZdfSwiY29lZiI6eyJkdHlwZSI6IkY2NCIsInNoYXBlIjpbMiwyXSwiZGF0YV9vZmZzZXRzIjpbMTYsNDhdfSwiaW50"
    "ZXJjZXB0Ijp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbNDgsNjRdfSwiZGVzY3JpcHRpb24iOnsiZHR5cGUiOiJVOCIs"
    "InNoYXBlIjpbMzM1XSwiZGF0YV9vZmZzZXRzIjpbNjQsMzk5XX19ICAgICADAAAAAAAAAAkAAAAAAAAAK/ZNsF0hzr8o9k2wXSHePyv2TbBdIc4/KPZN"
    "sF0h3r+deDpEBpnWv514OkQGmdY/eyJzb2Z0Z3JhZCI6ICIwLjEuMCIsICJ0YXJnZXQiOiAibGFiZWwiLCAiY2xhc3NlcyI6IHsia2luZCI6ICJpbnRl"
    "Z2VyIiwgImxhYmVscyI6IFswLCAxXX0sICJ0cmFpbmluZyI6IHsicm93cyI6IDIsICJ0cmFpbl9yb3dzIjogMiwgInRlc3Rfcm93cyI6IDAsICJmZWF0"
    "dXJlcyI6IDIsICJDIjogMS4wLCAic2VlZCI6IDAsICJ0ZXN0X2ZyYWN0aW9uIjogMC4wLCAic29sdmVyIjogIm5ld3Rvbi1jaG9sZXNreSIsICJpdGVy"
    "YXRpb25zIjogMiwgImNvbnZlcmdlZCI6IHRydWUsICJ0cmFpbmluZ19sb3NzIjogMC4yNjg2NjE1OTY5MjIzOTI1NSwgInRyYWluaW5nX2FjY3VyYWN5"
    "IjogMS4wfX0="
)


def probabilities(csv: str) -> np.ndarray:
    return np.array([[float(cell) for cell in line.split(",")[1:]] for line in csv.splitlines()[1:]])


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(np.float64).eps, atol=0)


def test_of_a_table() -> None:
    Path("model").write_bytes(OF_A_TABLE)
    model = load_model(Path("model"))
    assert model.columns == (NumberColumn("x", 2.5, np.sqrt(1.25), truths=None), TextColumn("c", ("u", "v")))
    assert (model.options, model.missing, model.unseen) == (ReadOptions(), "error", "zero")
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


def test_of_a_table_in_format_2() -> None:
    Path("model").write_bytes(OF_A_TABLE_2)
    model = load_model(Path("model"))
    assert [type(column) for column in model.columns] == [NumberColumn, NumberColumn, TextColumn]
    assert (model.options, model.missing, model.unseen) == (ReadOptions(), "error", "zero")
    expected = np.array(
        [
            [0.7587035148050666, 0.24129648519493338],
            [0.7106355776087776, 0.2893644223912224],
            [0.2678624252535921, 0.732137574746408],
        ]
    )
    # The file does not say that the second column held true and false: 1 and 0 are taken as well, as they were.
    for rows in (
        ["1,true,u", "2,false,v", "3,true,u"],
        ["1,1,u", "2,0,v", "3,1,u"],
        ["1,True,u", "2,FALSE,v", "3, true, u"],
    ):
        Path("data.csv").write_text("\n".join(["x,wild,c", *rows]))
        assert_close(probabilities(succeeds("predict", "model", "data.csv").stdout), expected)
    Path("data.csv").write_text("x,wild,c\n1,true,u\n,false,v\n")
    assert fails("predict", "model", "data.csv").startswith("data.csv, column 'x', row 2: the value is missing; ")
    Path("data.csv").write_text("x,wild,c\n1,true,w\n")
    said = succeeds("predict", "model", "data.csv").stderr
    assert "has texts that the training did not have, in 1 cell ('w')" in said


def test_of_an_svmlight_file_in_format_2() -> None:
    Path("model").write_bytes(OF_AN_SVMLIGHT_FILE_2)
    assert [column.name for column in load_model(Path("model")).columns] == ["3", "9"]
    Path("rows.svm").write_text("1 3:1\n0 5:7 9:2\n")
    expected = [[0.23559811216386076, 0.7644018878361393], [0.7644018878361393, 0.2355981121638607]]
    assert_close(probabilities(succeeds("predict", "model", "rows.svm").stdout), np.array(expected))
