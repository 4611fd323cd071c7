"""Text files of any size as blocks of whole lines, uncompressed on the way, each read as if it were a small file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from drainstats.errors import DataError
from drainstats.sources.archives import FAULTS, unpacked
from drainstats.sources.cells import separator
from drainstats.sources.layout import Source
from drainstats.sources.opening import Content

BLOCK = 2**23
_LONGEST_LINE = 2**26


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of a file behind its header, if it has one: a small file of its own.

    before : lines of rows that come earlier; lines : of this block; headed : 1 with a header, else 0.
    """

    source: Source
    before: int
    lines: int
    headed: int


class BlockSource(Source):
    """A part of a file under the file's name."""

    def __init__(self, path: Path, name: str, data: bytes) -> None:
        super().__init__(path)
        self.content = Content(path, name, data)
        self.is_parquet = False


def blocks(path: Path, size: int = BLOCK) -> Iterator[Block]:
    """The blocks of a text file, in order.

    A file whose first line holds a number in any cell has no header.
    """
    with unpacked(path) as (stream, name):
        head = b""
        before = 0
        for data in _whole_lines(stream, path, size):
            if before == 0 and not head and has_header(data):
                end = data.find(b"\n") + 1 or len(data)
                head, data = data[:end], data[end:]
            if not data.strip():
                continue
            lines = data.count(b"\n") + (not data.endswith(b"\n"))
            yield Block(BlockSource(path, name, head + data), before, lines, int(bool(head)))
            before += lines
        if before == 0:
            yield Block(BlockSource(path, name, head), 0, 0, int(bool(head)))


def has_header(data: bytes) -> bool:
    """Whether the first line is one of names: no cell of it is a number."""
    line = data.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].strip()
    return not any(_is_number(cell.strip(b" \"'\r")) for cell in line.split(separator(line).encode()))


def _is_number(cell: bytes) -> bool:
    try:
        float(cell.split(b" ", 1)[0])
    except ValueError:
        return False
    return cell.lower() not in (b"nan", b"inf", b"infinity")


def _whole_lines(stream: IO[bytes], path: Path, size: int) -> Iterator[bytes]:
    kept = b""
    while True:
        try:
            data = stream.read(size)
        except FAULTS as error:
            raise DataError(f"The file cannot be read ({error}).", file=path) from error
        if not data:
            if kept:
                yield kept
            return
        data = kept + data
        cut = data.rfind(b"\n") + 1
        # An empty line at the end of a block would pass for the end of the file.
        while cut > 1 and data[cut - 2 : cut - 1] in (b"\n", b"\r") and data[cut - 3 : cut - 2] in (b"\n", b""):
            cut = data.rfind(b"\n", 0, cut - 1) + 1
        kept = data[cut:]
        if len(kept) > _LONGEST_LINE + size:
            raise DataError("A line is longer than 64 MiB: this is no text file of trades.", file=path)
        if cut:
            yield data[:cut]
