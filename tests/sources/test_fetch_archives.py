"""Compressed files: how large they would grow, what their members are called, and that no bomb goes off."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainstats.errors import DataError
from drainstats.sources import archives
from drainstats.sources.archives import sole_member, unpacked_size
from drainstats.sources.fetch import download
from drainstats.sources.transport import Terms
from tests.sources.loopback import QUICK, whole

ZEROS = bytes(5_000_000)


def _zip(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _zst(content):
    return pytest.importorskip("pyarrow").compress(content, codec="zstd", asbytes=True)


PACKERS = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": _zst,
    "zip": lambda content: _zip(**{"x.csv": content}),
    "plain": bytes,
}


@pytest.fixture
def write(tmp_path):
    def call(content, name="x"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return call


@pytest.mark.parametrize("kind", PACKERS)
def test_size(kind, write):
    path = write(PACKERS[kind](ZEROS))
    assert unpacked_size(path) == len(ZEROS)
    assert unpacked_size(path, len(ZEROS)) == len(ZEROS)


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_refused(kind, write):
    with pytest.raises(DataError, match="more than 1,000,000 bytes, uncompressed"):
        unpacked_size(write(PACKERS[kind](ZEROS)), 1_000_000)


def test_counting_stops_at_the_cap(write, monkeypatch):
    monkeypatch.setattr(archives, "_CHUNK", 1000)
    read = []
    path = write(gzip.compress(ZEROS))
    monkeypatch.setitem(archives._OPENERS, b"\x1f\x8b", lambda p: _Counting(p, read))
    with pytest.raises(DataError, match="more than 10,000"):
        unpacked_size(path, 10_000)
    assert sum(read) <= 11_000


class _Counting:
    def __init__(self, path, read):
        self.stream, self.sizes = gzip.GzipFile(path), read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def read(self, size):
        chunk = self.stream.read(size)
        self.sizes.append(len(chunk))
        return chunk


def test_concatenated_members_count_together(write):
    assert unpacked_size(write(gzip.compress(b"1" * 600) * 3)) == 1800
    assert unpacked_size(write(_zst(b"1" * 600) * 3)) == 1800


@pytest.mark.parametrize("kind", ["gz", "xz", "zip", "zst"])
def test_a_cut_archive_is_an_error(kind, write):
    packed = PACKERS[kind](bytes(range(256)) * 1000)
    with pytest.raises(DataError, match="damaged or cut off"):
        unpacked_size(write(packed[: len(packed) // 2]))


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PK\x05\x06", b""]
)
@settings(max_examples=100, deadline=None)
@given(rest=st.binary(max_size=200))
def test_any_bytes_have_a_size_or_an_error_of_ours(magic, rest, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(magic + rest)
    try:
        size = unpacked_size(path, 10_000)
    except DataError:
        size = 0
    assert 0 <= size <= 10_000


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/../../x.csv", "/etc/x", "\\x", "..\\x", "C:\\x", "C:x", "\\\\host\\share\\x", "a\0/../x"]
)
def test_members_that_lead_out_are_refused(name, write):
    # zipfile normalises a name when it writes; the bytes are set in the finished archive.
    stand_in = "n" * len(name.encode())
    packed = _zip(**{stand_in: b"1"}).replace(stand_in.encode(), name.encode())
    with pytest.raises(DataError, match="leads out of its folder"):
        unpacked_size(write(packed))


def test_a_zip_cannot_grow_beyond_what_it_declares(write):
    packed = _zip(**{"x.csv": ZEROS})
    size = len(ZEROS).to_bytes(4, "little")
    path = write(packed.replace(size, (10).to_bytes(4, "little")))
    assert unpacked_size(path) == 10
    with zipfile.ZipFile(path) as archive, archive.open("x.csv") as member, pytest.raises(zipfile.BadZipFile):
        assert len(member.read()) <= 10


def test_one_member_is_expected_or_named(write):
    assert sole_member(write(_zip(**{"a.csv": b"1"}))) == "a.csv"
    two = write(_zip(**{"a.csv": b"1", "b.csv": b"2"}))
    assert sole_member(two, "b.csv") == "b.csv"
    with pytest.raises(DataError, match=r"holds a\.csv, b\.csv; one file is expected"):
        sole_member(two)
    with pytest.raises(DataError, match=r"one file 'c\.csv' is expected"):
        sole_member(two, "c.csv")
    with pytest.raises(DataError, match="holds nothing"):
        sole_member(write(_zip()))
    with pytest.raises(DataError, match="not a zip"):
        sole_member(write(b"PK\x03\x04nonsense"))


@pytest.mark.parametrize("kind", ["gz", "xz", "zst", "zip"])
def test_a_fetched_bomb_never_reaches_the_cache(kind, server, tmp_path):
    url = server.on("/x", whole(PACKERS[kind](ZEROS)))
    with pytest.raises(DataError, match="more than 1,000,000 bytes, uncompressed"):
        download(url, tmp_path / "x", terms=Terms(patience=QUICK, max_unpacked=1_000_000))
    assert list(tmp_path.iterdir()) == []
