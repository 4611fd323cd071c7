"""What a compressed file would grow to, and whether its members' names are safe, before anything reads it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from drainstats.errors import DataError, require_extra

MAX_UNPACKED = 64 * 2**30
_CHUNK = 2**20
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
# What reading a damaged archive may raise.
FAULTS = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, ValueError, struct.error,
    RuntimeError,
)  # fmt: skip


def unpacked_size(path: Path, max_bytes: int = MAX_UNPACKED) -> int:
    """How many bytes a file holds once it is uncompressed: zip, gz, xz and zst are told by their first bytes.

    Parameters
    ----------
    path : Path
    max_bytes : int, default 64 GiB
        Above this the file is refused; counting stops there, so that a bomb costs no more than the cap.

    Returns
    -------
    int
        Bytes; for a zip the sum over its members.

    Raises
    ------
    DataError
        Too large, damaged, cut off, or a zip with a member whose name leads out of a folder.
    MissingExtraError
        A zst file without the extra ``ticks``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.gz"
    >>> _ = path.write_bytes(gzip.compress(b"0" * 1000))
    >>> path.stat().st_size < 100, unpacked_size(path)
    (True, 1000)
    """
    try:
        if is_zip(path):
            size = _zip_size(path)
        else:
            opener = opener_of(path)
            size = path.stat().st_size if opener is None else _count(opener, path, max_bytes)
    except DataError:
        raise
    except FAULTS as error:
        raise DataError(f"The compressed file is damaged or cut off ({error}); fetch it again.", file=path) from error
    if size > max_bytes:
        raise DataError(f"The file holds more than {max_bytes:,} bytes, uncompressed; it is refused.", file=path)
    return size


def sole_member(path: Path, name: str | None = None) -> str:
    """The name of the one file in a zip, or of the one that is asked for; several or none is an error.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.zip"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("a.csv", "1")
    >>> sole_member(path)
    'a.csv'
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [m.filename for m in archive.infolist() if not m.is_dir()]
    except FAULTS as error:
        raise DataError(f"The file is not a zip archive ({error}).", file=path) from error
    found = names if name is None else [n for n in names if n == name]
    if len(found) != 1:
        wanted = "one file" if name is None else f"one file {name!r}"
        raise DataError(f"The archive holds {', '.join(names[:5]) or 'nothing'}; {wanted} is expected.", file=path)
    return found[0]


def is_zip(path: Path) -> bool:
    """Whether the first bytes are those of a zip archive."""
    with path.open("rb") as file:
        return file.read(4).startswith(ZIP)


def opener_of(path: Path) -> Callable[[Path], Any] | None:
    """What opens a gz, xz, bz2 or zst file as a stream of its uncompressed bytes; None for any other file."""
    with path.open("rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """A stream of a file's uncompressed bytes, and the name of the file or of the one member of a zip.

    What opening may raise becomes a `DataError`; reading raises one of `FAULTS` where the file is damaged or cut off.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.csv.gz"
    >>> _ = path.write_bytes(gzip.compress(b"a,b"))
    >>> with unpacked(path) as (stream, name):
    ...     name, stream.read()
    ('x.csv.gz', b'a,b')
    """
    with ExitStack() as stack:
        try:
            if is_zip(path):
                name = sole_member(path)
                archive = stack.enter_context(zipfile.ZipFile(path))
                stream, name = stack.enter_context(archive.open(name)), name.rpartition("/")[2]
            else:
                opener = opener_of(path)
                stream = stack.enter_context(path.open("rb") if opener is None else opener(path))
                name = path.name
        except DataError:
            raise
        except FAULTS as error:
            raise DataError(f"The file cannot be read ({error}).", file=path) from error
        yield stream, name


def _zip_size(path: Path) -> int:
    # zipfile stops a member at its declared size, so the declared sizes bound what any member can grow to.
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            # orig_filename: zipfile itself cuts a name at a null byte.
            if _leads_out(member.orig_filename):
                raise DataError(f"The archive's member {member.orig_filename!r} leads out of its folder.", file=path)
        return sum(member.file_size for member in archive.infolist())


def _leads_out(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    rooted = posix.is_absolute() or windows.drive != "" or windows.root != ""
    return rooted or ".." in posix.parts or ".." in windows.parts or "\0" in name


def _count(opener: Callable[[Path], Any], path: Path, max_bytes: int) -> int:
    size = 0
    with opener(path) as stream:
        while size <= max_bytes and (chunk := stream.read(_CHUNK)):
            size += len(chunk)
    return size


def _zstd(path: Path) -> Any:
    # zstandard's own stream ends without a word where the file is cut off; this one says so. It refuses a window above
    # 128 MiB, which asks for memory before a byte is written.
    return require_extra("pyarrow", "ticks").input_stream(str(path), compression="zstd")


_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
    b"\x28\xb5\x2f\xfd": _zstd,
}
