"""One process at a time: a lock on a file that the system lets go when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
    import time

    def _wait(file: IO[bytes]) -> None:
        while True:
            file.seek(0)
            try:
                return msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError:
                time.sleep(0.05)

else:
    import fcntl

    def _wait(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, waiting for whoever holds it; it is gone afterwards.

    Threads and processes exclude each other alike. A holder that is killed leaves the file, not the lock.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.lock"
    >>> with alone(path):
    ...     path.exists()
    True
    >>> path.exists()
    False
    """
    while True:
        file = path.open("ab")
        _wait(file)
        if _still(file, path):
            break
        # The last holder removed the file while this one waited: whoever comes next would lock another one.
        file.close()
    try:
        yield
    finally:
        if sys.platform == "win32":
            file.close()
        else:
            path.unlink(missing_ok=True)
            file.close()


def _still(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
