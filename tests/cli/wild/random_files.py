"""Random files in the manner of those that people have, and options for them."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet

Generator = np.random.Generator

WORDS = (
    "red",
    "blue",
    "gréen",
    "a, b",
    'the "best"',
    "u\nv",
    "u\r\nv",
    "semi;colon",
    "tab\tbed",
    "pi|pe",
    "日本",
    "x y",
)
NOTHING = ("", "", "", "NA", "nan", "?", "-", "NULL", "\\N", "n/a", " ")
ODD = (
    "3 kg",
    "12 %",
    "$5",
    "1,5",
    "1.5.6",
    "1/2/2024",
    "2024-03-10",
    "inf",
    "-inf",
    "1e400",
    "0x1F",
    "1_000",
    "true",
    "No",
    "#DIV/0!",
    '"',
    '5" pipe',
    '"open',
    "'",
    "\u00a0",
    "\ufeff",
    "\0",
    "\u2028",
    "\x85",
    "\x0b",
    "\x1c",
)
NAMES = ("x", "y", "z", "w", "Größe", "a b", " padded ", "", 'quo"te', "com,ma", "line\nend", "1", "x")


@dataclass(frozen=True)
class RandomFile:
    """A file, the arguments of train for it, and how it is streamed: in blocks of a length, perhaps with a cache."""

    name: str
    content: bytes
    arguments: Sequence[str]
    block_bytes: int
    cached: bool


def random_file(rng: Generator) -> RandomFile:
    """A file of a few rows, or of several pieces of 256: most train, many are refused."""
    least, most = [(1, 40), (0, 4), (250, 900)][rng.choice(3, p=[0.87, 0.1, 0.03])]
    rows = int(rng.integers(least, most))
    names = [str(name) for name in rng.choice(NAMES[:4] if rng.random() < 0.7 else NAMES, int(rng.integers(1, 5)))]
    if rng.random() < 0.9:
        names = list(dict.fromkeys(names))
    typed = rng.random() < 0.15
    make = _typed_file if typed else _text_file
    return make(rng, [*names, "kind"], rows)


def _chance(rng: Generator, share: float) -> bool:
    return bool(rng.random() < share)


def _one(rng: Generator, of: Sequence[str]) -> str:
    return of[int(rng.integers(len(of)))]


def _cells(rng: Generator, rows: int) -> list[str]:
    makers: list[Callable[[], str]] = [
        lambda: str(rng.integers(-50, 50)),
        lambda: f"{rng.normal(0, 10):.{rng.integers(0, 5)}f}",
        lambda: f"{rng.normal(0, 10):.3e}",
        lambda: f"{rng.integers(0, 10**7):,}",
        lambda: f"{rng.normal(0, 10):.2f}".replace(".", ","),
        lambda: f"{rng.integers(0, 200):03}",
        lambda: str(rng.integers(2**52, 2**63 - 1)),
        lambda: _one(rng, ("True", "false", "TRUE")),
        lambda: _one(rng, WORDS[:3]),
        lambda: _one(rng, WORDS),
        lambda: _one(rng, ODD),
        lambda: f"{rng.integers(1, 29):02}/{rng.integers(1, 13):02}/2024",
        lambda: f"2024-{rng.integers(1, 13):02}-{rng.integers(1, 29):02}",
        lambda: "7",
        lambda: "",
    ]
    shares = np.array([6, 8, 2, 1, 1, 1, 1, 2, 6, 3, 0.3, 0.2, 0.2, 0.5, 0.2])
    make = makers[rng.choice(len(makers), p=shares / shares.sum())]
    cells = [make() for _ in range(rows)]
    if _chance(rng, 0.3):
        nothing = _one(rng, NOTHING)
        cells = [nothing if _chance(rng, 0.1) else cell for cell in cells]
    if cells and _chance(rng, 0.1):
        cells[int(rng.integers(rows))] = _one(rng, ODD)
    return cells


def _labels(rng: Generator, rows: int) -> list[str]:
    of: Sequence[str] = [
        ("a", "b"),
        ("a", "b", "ü"),
        ("1", "2", "3"),
        ("01", "1", "2"),
        ("true", "False"),
        WORDS,
        ("1.0", "2.0", "-1"),
        ("a", "a", "a", " a", "b"),
    ][int(rng.integers(8))]
    labels = [_one(rng, of) for _ in range(rows)]
    if rows and _chance(rng, 0.1):
        labels[int(rng.integers(rows))] = _one(rng, (*NOTHING, *ODD))
    return labels


def _options(rng: Generator, names: Sequence[str]) -> list[str]:
    chosen: list[str] = ["--test-fraction", _one(rng, ("0", "0", "0.2", "0.5", "0.8")), "--seed", str(rng.integers(3))]
    others = [
        *(("--missing", policy) for policy in ("drop", "mean", "median", "most-frequent")),
        ("--na", _one(rng, ("?", "-", "7", "red"))),
        ("--drop", _one(rng, names)),
        ("--columns", _one(rng, names)),
        ("--number", _one(rng, names)),
        ("--text", _one(rng, names)),
        ("--label-as", "text"),
        ("--sample-weight", _one(rng, names)),
        ("--class-weight", "balanced"),
        ("--label-smoothing", "0.1"),
        ("--unseen", "error"),
    ]
    for option, value in others:
        if _chance(rng, 0.3 if option == "--missing" else 0.06):
            chosen += [option, value]
    return chosen


def _quoted(rng: Generator, cell: str, delimiter: str, quoting: str) -> str:
    needed = any(sign in cell for sign in (delimiter, '"', "\n", "\r"))
    if quoting == "all" or (quoting == "needed" and needed) or (quoting == "some" and (needed or _chance(rng, 0.2))):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _text_file(rng: Generator, names: list[str], rows: int) -> RandomFile:
    delimiter = _one(rng, (",", ",", ",", ";", "\t", "|", "~"))
    quoting = _one(rng, ("needed", "needed", "needed", "all", "some", "never"))
    end = _one(rng, ("\n", "\n", "\r\n", "\r"))
    blank = _one(rng, ("", "", "", " ", "\t "))
    header = _chance(rng, 0.95)
    columns = [*(_cells(rng, rows) for _ in names[:-1]), _labels(rng, rows)]
    order = rng.permutation(len(names))
    names, columns = [names[place] for place in order], [columns[place] for place in order]
    lines = [*([names] if header else []), *map(list, zip(*columns, strict=True))]
    text = ""
    for line in lines:
        cells = [_quoted(rng, cell, delimiter, quoting) for cell in line]
        if _chance(rng, 0.003):
            cells = cells[1:] or ["", ""]
        text += delimiter.join(cell if cell.startswith('"') else f"{blank}{cell}{blank}" for cell in cells)
        text += _one(rng, ("\n", "\r\n")) if _chance(rng, 0.02) else end
        if _chance(rng, 0.02):
            text += end
    if _chance(rng, 0.2):
        text = text.removesuffix(end)
    encoding = _one(rng, ("utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"))
    content = text.encode(encoding, "replace")
    arguments = [*_options(rng, names)]
    if encoding == "cp1252" and _chance(rng, 0.7):
        arguments += ["--encoding", encoding]
    if not header and _chance(rng, 0.8):
        arguments += ["--no-header", "--target", f"c{1 + names.index('kind')}"]
    else:
        arguments += ["--target", "kind"]
    if delimiter == "~" or _chance(rng, 0.3):
        arguments += ["--delimiter", delimiter if _chance(rng, 0.9) else ","]
    if _chance(rng, 0.1):
        arguments += ["--decimal", ","]
    if _chance(rng, 0.05):
        arguments += ["--thousands", _one(rng, (",", ".", " "))]
    if content and _chance(rng, 0.05):
        content = _damaged(rng, content)
    name = "data.tsv" if delimiter == "\t" else "data.csv"
    pack = [None, gzip.compress, bz2.compress][rng.choice(3, p=[0.9, 0.05, 0.05])]
    if pack is not None:
        content = pack(content)
        content = _damaged(rng, content) if _chance(rng, 0.2) else content
        name += "" if _chance(rng, 0.3) else {gzip.compress: ".gz", bz2.compress: ".bz2"}[pack]
    return RandomFile(name, content, arguments, int(2 ** rng.uniform(4, 12)) * (1 + rows // 40), _chance(rng, 0.3))


def _damaged(rng: Generator, content: bytes) -> bytes:
    place = int(rng.integers(len(content)))
    byte = _one(rng, ('"', "\n", "\r", "\0", ",", "\xff", "\xe9")).encode("latin-1")
    return [content[:place], content[:place] + byte + content[place:], content[:place] + byte + content[place + 1 :]][
        int(rng.integers(3))
    ]


def _typed_file(rng: Generator, names: list[str], rows: int) -> RandomFile:
    columns = [*(_typed(rng, rows) for _ in names[:-1]), _typed_labels(rng, rows)]
    batch = pa.Table.from_arrays(columns, names)
    sink = io.BytesIO()
    name = _one(rng, ("data.parquet", "data.arrow", "data.feather"))
    length = int(rng.integers(1, 20))
    if name == "data.parquet":
        pa.parquet.write_table(batch, sink, row_group_size=length)
    else:
        with (pa.ipc.new_file if _chance(rng, 0.7) else pa.ipc.new_stream)(sink, batch.schema) as writer:
            writer.write_table(batch, length)
    content = sink.getvalue()
    if _chance(rng, 0.05):
        content = content[: int(rng.integers(len(content)))]
    return RandomFile(name, content, [*_options(rng, names), "--target", "kind"], 1 << 20, _chance(rng, 0.3))


def _typed(rng: Generator, rows: int) -> pa.Array:
    missing = rng.random(rows) < _one_share(rng)
    numbers = rng.normal(0, 10, rows)
    whole = rng.integers(0, 100, rows)
    texts = [_one(rng, (*WORDS, "", " red ")) for _ in range(rows)]
    return [
        lambda: pa.array(numbers, mask=missing),
        lambda: pa.array(numbers.astype(np.float32), mask=missing),
        lambda: pa.array(whole, mask=missing),
        lambda: pa.array(whole.astype(np.uint8), mask=missing),
        lambda: pa.array(whole > 50, mask=missing),
        lambda: pa.array(texts, mask=missing),
        lambda: pa.array(texts, pa.large_string(), mask=missing),
        # Its type would be null where all are missing, and Parquet has no dictionaries of that.
        lambda: pa.array(texts, pa.string(), mask=missing).dictionary_encode(),
        lambda: pa.array(whole, mask=missing).cast(pa.decimal128(21, 2)),
        lambda: pa.array(np.copysign(np.inf, numbers) if _chance(rng, 0.2) else numbers),
        lambda: pa.array(whole, pa.int32(), mask=missing).cast(pa.date32()),
        lambda: pa.nulls(rows),
        lambda: pa.array([[n] for n in whole.tolist()]),
    ][rng.choice(13, p=np.array([4, 2, 4, 2, 3, 4, 2, 3, 2, 0.5, 0.2, 0.2, 0.2]) / 27.1)]()


def _one_share(rng: Generator) -> float:
    return 0.1 if _chance(rng, 0.2) else 0.0


def _typed_labels(rng: Generator, rows: int) -> pa.Array:
    whole = rng.integers(0, 3, rows)
    missing = rng.random(rows) < (0.05 if _chance(rng, 0.2) else 0.0)
    return [
        lambda: pa.array(whole, mask=missing),
        lambda: pa.array(whole.astype(np.float64), mask=missing),
        lambda: pa.array(whole > 0, mask=missing),
        lambda: pa.array([f"k{n}" for n in whole.tolist()], mask=missing),
        lambda: pa.array([f"k{n}" for n in whole.tolist()], pa.string(), mask=missing).dictionary_encode(),
    ][int(rng.integers(5))]()
