"""How the characters of text files are encoded, and the files compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pyarrow as pa

from tests.cli.wild.case import NAMES, PLAIN, Case, table

FRENCH = table(colour=["été", "noël", "bleu"] * 4)
# With the categories in the order of the French ones.
ASCII = table(colour=["z", "n", "b"] * 4)
CP1252 = FRENCH.encode("cp1252")
GERMAN = table(names=("größe", *NAMES[1:]))


def _zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


def _same(name: str, content: bytes, *arguments: str, **expected: object) -> Case:
    return Case(name, content, arguments, kinds=PLAIN, like=ASCII, **expected)


CASES = [
    _same("UTF-8", FRENCH.encode()),
    _same("UTF-8 with a mark", FRENCH.encode("utf-8-sig")),
    _same("UTF-16 with a mark", FRENCH.encode("utf-16"), says=[("utf-16",)]),
    _same("UTF-16 without a mark", FRENCH.encode("utf-16-le"), says=[("utf-16-le",)]),
    _same("UTF-16 that is said", FRENCH.encode("utf-16-be"), "--encoding", "utf-16-be"),
    _same("UTF-32", FRENCH.encode("utf-32"), says=[("utf-32",)]),
    _same("cp1252 that is said", CP1252, "--encoding", "cp1252"),
    Case("cp1252", CP1252, error=("row 1", "'colour'", "0xe9", "--encoding")),
    Case("cp1252 in the header", GERMAN.encode("cp1252"), error=("header", "column 1", "0xf6", "--encoding")),
    Case("a header with umlauts", GERMAN, kinds={"größe": "number", "colour": "text"}, like=table()),
    Case("a wrong encoding", FRENCH, ("--encoding", "ascii"), error=("row 1", "'colour'", "0xc3", "ascii")),
    Case(
        "no encoding of this name", FRENCH, ("--encoding", "latin-99"), error=("encoding", "latin-99"), of_options=True
    ),
    Case("NULs", table().replace("red", "r\0d"), kinds=PLAIN, like=table()),
    _same("gzip", gzip.compress(FRENCH.encode()), file="data.csv.gz"),
    _same("gzip named .csv", gzip.compress(FRENCH.encode()), says=[("gzip",)]),
    _same("bzip2", bz2.compress(FRENCH.encode()), file="data.csv.bz2"),
    _same("xz", lzma.compress(FRENCH.encode()), file="data.csv.xz"),
    _same("zstd", _zstd(FRENCH.encode()), file="data.csv.zst"),
    _same("cp1252 in gzip", gzip.compress(CP1252), "--encoding", "cp1252", file="data.csv.gz"),
    _same("plain text named .csv.gz", FRENCH.encode(), file="data.csv.gz", says=[("compression none",)]),
    Case("half of a gzip", gzip.compress(FRENCH.encode())[:40], file="data.csv.gz", error=("gzip", "damaged")),
    Case("half of a bzip2", bz2.compress(FRENCH.encode())[:60], file="data.csv.bz2", error=("bz2", "damaged")),
    Case("half of an xz", lzma.compress(FRENCH.encode())[:60], file="data.csv.xz", error=("xz", "damaged")),
    Case("half of a zstd", _zstd(FRENCH.encode())[:40], file="data.csv.zst", error=("zstd", "damaged")),
    Case("a spreadsheet", b"PK\x03\x04" + bytes(range(256)), error=("zip", "not text")),
    Case("a Parquet file named .csv", b"PAR1" + bytes(range(256)), error=("Parquet", "not text")),
]
