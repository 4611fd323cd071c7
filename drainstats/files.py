"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file in the same folder to write to, flushed to disk and renamed at the end; on failure it goes.

    Parameters
    ----------
    path : Path
        Its folder is made when it is not there. The old file stays as it was until the new one is whole.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "x.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "x.txt").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> Path:
    """Write to a temporary name in the same folder, flush to disk, rename; on failure the old file stays as it was.

    Parameters
    ----------
    path : Path
        Its folder is made when it is not there.
    content : bytes

    Returns
    -------
    Path
        ``path`` itself.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_whole(folder / "x.txt", b"whole").read_text()
    'whole'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path
