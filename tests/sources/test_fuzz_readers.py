"""Every reader on thousands of damaged files: a tidy table or a `drainstats.errors` exception, nothing else.

A plain loop over seeds: input ``number`` of a format is the same bytes on every machine, and a failure prints both.
"""

from __future__ import annotations

import gzip
import os
import pathlib
import re
import time
import zipfile

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DrainstatsError
from tests.sources.samples import BINARY, SAMPLES, parquet, sample, write

# The slow suite takes half an hour of CPU; DRAINSTATS_FUZZ asks for fewer inputs, as continuous integration does.
FEW, MANY = 200, int(os.environ.get("DRAINSTATS_FUZZ", "20000"))
PAIRS = 500
# Seconds that one tiny file may take: a hundred times what it does.
MOST_SECONDS = 1.0
MARKS = b",;\t| \n\r\"'.-+:eETZ[]{}$%_"
CELLS = (
    b"", b" ", b"nan", b"inf", b"-Infinity", b"1e400", b"1e-400", b"-0", b"1_000", b"0x10", b"1,5", b'"', b'"a\nb"',
    b"\xff", b"\x00", b"\xef\xbb\xbf", b"\r", b"9223372036854775807", b"9223372036854775808", b"-1", b"1" * 400,
    b"99999999999999999999", b"0", b"253402300799", b"0001-01-01", b"9999-12-31T23:59:59Z", b"NaT", b"2024-02-30",
    b"2024-03-10 02:30", b"20240101", b"2024-01-01T00:00:00+25:00", b"true", b"buy", b"None", b"\xc3\xa9", b"null",
    b"1e18", b"-1e308", b"[]", b"{}", b"12:30", b"1969-12-31", b"1722816000", b"1722816000000000000", b"nan(1)",
)  # fmt: skip
# Columns that need not be floats; a damaged header may give their names to floats.
OTHERS = {"side": "i", "snapshot": "b", "hidden": "b", "received": "M", "id": "u"}
KINDS = ("gz", "xz", "bz2", "zst", "zip")
_BREAKS = b",;\t|\n"


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three random changes."""
    for kind in rng.integers(0, len(_CHANGES), rng.integers(1, 4)):
        if not data:
            break
        data = _CHANGES[kind](data, rng)
    return data


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + bytes([int(rng.integers(256))]) + data[at + 1 :]


def _mark(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data) + 1))
    mark = int(rng.integers(len(MARKS)))
    return data[:at] + MARKS[mark : mark + 1] + data[at + int(rng.integers(2)) :]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    a, b = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    return data[:a] if rng.integers(4) == 0 else data[:a] + data[min(b, a + 12) :]


def _splice(data: bytes, rng: np.random.Generator) -> bytes:
    a, b, c = rng.integers(0, len(data) + 1, 3).tolist()
    return data[:c] + data[min(a, b) : max(a, b)] + data[c:]


def _cell(data: bytes, rng: np.random.Generator) -> bytes:
    a, b = _cell_at(data, int(rng.integers(len(data))))
    return data[:a] + CELLS[int(rng.integers(len(CELLS)))] + data[b:]


def _swap(data: bytes, rng: np.random.Generator) -> bytes:
    (a, b), (c, d) = sorted(_cell_at(data, int(at)) for at in rng.integers(0, len(data), 2))
    return data if c < b else data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _line(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    at, to = rng.integers(0, len(lines), 2).tolist()
    line = lines.pop(at) if rng.integers(2) else lines[at]
    return b"\n".join([*lines[:to], line, *lines[to:]] if rng.integers(3) else lines)


def _header(data: bytes, rng: np.random.Generator) -> bytes:
    first, mark, rest = data.partition(b"\n")
    return _CHANGES[int(rng.integers(6))](first or b",", rng) + mark + rest


def _separators(data: bytes, rng: np.random.Generator) -> bytes:
    old, new = (MARKS[k : k + 1] for k in rng.integers(0, 4, 2).tolist())
    return data.replace(old, new)


_CHANGES = (_flip, _mark, _cut, _splice, _cell, _swap, _line, _header, _separators, _cell)


def _cell_at(data: bytes, at: int) -> tuple[int, int]:
    start, stop = at, at
    while start and data[start - 1] not in _BREAKS:
        start -= 1
    while stop < len(data) and data[stop] not in _BREAKS:
        stop += 1
    return start, stop


def check(table: pd.DataFrame) -> None:
    """What every tidy table is."""
    assert isinstance(table.index, pd.DatetimeIndex)
    assert table.index.name == "time"
    assert str(table.index.dtype) == "datetime64[ns, UTC]"
    assert not table.index.hasnans
    assert table.size
    assert {"rules", "ignored", "format", "file"} <= set(table.attrs)
    for name, column in table.items():
        if name not in ("asset", "action"):
            assert column.dtype.kind in "f" + OTHERS.get(str(name), ""), (name, column.dtype)


def assert_survives(case: int, path: pathlib.Path, name: str, table: str, inputs: int) -> None:
    """The loop. Every second input is read with its format named, so that its own code meets the damage."""
    read, seed = getattr(ds, f"read_{table}"), path.read_bytes()
    whole = read(path)
    check(whole)
    assert whole.attrs["format"] == name
    for number in range(inputs):
        data = mutated(seed, np.random.default_rng([case, number]))
        path.unlink(missing_ok=True)  # to overwrite costs some file systems milliseconds
        path.write_bytes(data)
        began = time.process_time()
        try:
            check(read(path, format=name if number % 2 else None))
        except DrainstatsError:
            pass
        except BaseException as error:
            pytest.fail(f"input {number} of {name}/{table}: {type(error).__name__}: {error}\n{path.name}: {data!r}")
        assert time.process_time() - began < MOST_SECONDS, f"input {number} of {name}/{table} is slow: {data!r}"


def _inputs(few: int, many: int) -> list:
    return [few, pytest.param(many, marks=pytest.mark.slow)]


@pytest.mark.parametrize("inputs", _inputs(FEW, MANY))
@pytest.mark.parametrize("key", SAMPLES)
def test_texts(tmp_path, key, inputs):
    assert_survives(list(SAMPLES).index(key), write(tmp_path, key), *key, inputs)


@pytest.mark.parametrize("inputs", _inputs(FEW, MANY))
@pytest.mark.parametrize("key", BINARY)
def test_dbn(tmp_path, key, inputs):
    pytest.importorskip("databento")
    assert_survives(200 + list(BINARY).index(key), write(tmp_path, key), *key, inputs)


@pytest.mark.parametrize("inputs", _inputs(FEW, MANY))
def test_parquet(tmp_path, inputs):
    pytest.importorskip("pyarrow")
    path = tmp_path / "bars.parquet"
    path.write_bytes(parquet())
    assert_survives(300, path, "generic", "bars", inputs)


@pytest.mark.parametrize("inputs", _inputs(FEW, MANY // 5))
@pytest.mark.parametrize("kind", KINDS)
def test_compressed(tmp_path, kind, inputs):
    path = tmp_path / f"x.csv.{kind}"
    path.write_bytes(compressed(kind, sample(("generic", "bars"))[1]))
    assert_survives(400 + KINDS.index(kind), path, "generic", "bars", inputs)


@pytest.mark.slow
@pytest.mark.parametrize("key", SAMPLES)
def test_both_parsers_agree_on_damage(tmp_path, key, monkeypatch):
    """The same table, or the same error at the same place: `test_two_parsers` at length."""
    pytest.importorskip("pyarrow")
    path = write(tmp_path, key)
    seed, case = path.read_bytes(), 500 + list(SAMPLES).index(key)
    for number in range(PAIRS):
        data = mutated(seed, np.random.default_rng([case, number]))
        path.unlink()
        path.write_bytes(data)
        fast = _outcome(path, key)
        with monkeypatch.context() as patch:
            patch.setattr("drainstats.sources.cells.parsed", lambda *_: None)
            slow = _outcome(path, key)
        if isinstance(fast, str) or isinstance(slow, str):
            assert str(fast) == str(slow), (number, data)
        else:
            pd.testing.assert_frame_equal(fast, slow, check_exact=True, obj=f"input {number}: {data!r}")
            assert fast.attrs == slow.attrs, (number, data)


def _outcome(path: pathlib.Path, key: tuple[str, str]) -> pd.DataFrame | str:
    try:
        return getattr(ds, f"read_{key[1]}")(path, format=key[0])
    except DrainstatsError as error:
        # A whole number that was parsed is shown without its leading zeros.
        return re.sub(r"'[+-]?0*(\d+)'", r"'\1'", str(error))


def test_every_format_is_fuzzed():
    assert set(ds.list_formats()["table"].items()) == set(SAMPLES) | set(BINARY)


def compressed(kind: str, data: bytes) -> bytes:
    """The bytes of a compressed file."""
    import bz2
    import io
    import lzma

    if kind == "zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("x.csv", (2024, 1, 1, 0, 0, 0)), data)
        return stream.getvalue()
    if kind == "zst":
        return pytest.importorskip("pyarrow").Codec("zstd").compress(data, asbytes=True)
    if kind == "gz":
        return gzip.compress(data, mtime=0)
    return {"xz": lzma, "bz2": bz2}[kind].compress(data)
