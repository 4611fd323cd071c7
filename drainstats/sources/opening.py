"""The bytes of a file, uncompressed, with a cap: of a plain file, of gz, xz, bz2 and zst, and of a zip of one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from drainstats.errors import DataError
from drainstats.sources.archives import FAULTS, is_zip, opener_of, unpacked

MAX_BYTES = 4 * 2**30
# A file that grows more than this and is large is a bomb: tables of prices shrink to a tenth or a thirtieth.
MAX_GROWTH = 300
_SMALL = 2**26


@dataclass(frozen=True, slots=True)
class Content:
    """path : where the file lies; name : of the file, or of the member inside a zip; data : uncompressed."""

    path: Path
    name: str
    data: bytes


def content(path: Path) -> Content:
    """The bytes of a file, uncompressed by what its first bytes say: gz, xz, bz2, zst, or a zip of one file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Content

    Raises
    ------
    DataError
        More than 4 GiB, or more than 300 times the compressed file when that is over 64 MiB; damaged, cut off or
        encrypted; a zip with no or several members.
    MissingExtraError
        A zst file without the extra ``ticks``.

    Examples
    --------
    >>> import gzip, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.csv.gz"
    >>> _ = path.write_bytes(gzip.compress(b"a,b"))
    >>> content(path).data
    b'a,b'
    """
    try:
        with unpacked(path) as (stream, name):
            return Content(path, name, _capped(stream, path, _bounds(path)))
    except DataError:
        raise
    except FAULTS as error:
        raise DataError(f"The file cannot be read ({error}).", file=path) from error


def _bounds(path: Path) -> int:
    size = path.stat().st_size
    plain = opener_of(path) is None and not is_zip(path)
    return min(MAX_BYTES, size if plain else max(_SMALL, MAX_GROWTH * size))


def _capped(stream: IO[bytes], path: Path, most: int) -> bytes:
    # One read of one size: growing a buffer would hold the file twice.
    data = stream.read(most + 1)
    if len(data) <= most:
        return data
    if most < MAX_BYTES:
        raise DataError(f"The file grows to more than {MAX_GROWTH} times its size, which no table does.", file=path)
    raise DataError(
        f"The file holds more than {most:,} bytes, uncompressed; split it by time, or take trades through tick_bars, "
        "which reads in batches.",
        file=path,
    )
