"""`fetch_file`: one file from a public address, whole and verified, or a sentence that says why not.

A download goes to ``<name>.part`` beside its final place and is moved there only when it is complete, its sha256 is the
expected one and, if it is compressed, its uncompressed size is below the cap. What was interrupted goes on where it
stopped, provided that the server still has the same version of the file. A lock keeps processes from fetching one
file at the same time.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from drainstats.errors import DataError, FetchError, OptionError, require_extra
from drainstats.sources.archives import unpacked_size
from drainstats.sources.locking import alone
from drainstats.sources.transport import MAX_BYTES, Patience, Terms, check_address, drop, receive

_TERMS = Terms()


def fetch_file(
    url: str,
    sha256: str | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    offline: bool = False,
    max_bytes: int = MAX_BYTES,
    timeout: float = 30.0,
    patience: Patience = _TERMS.patience,
) -> Path:
    """Fetch a file over https into the cache, or find it there.

    Parameters
    ----------
    url : str
        ``https://…``; plain ``http://`` only for this machine itself (localhost, 127.0.0.1, ::1). Redirects must obey
        the same rule; five are followed at most.
    sha256 : str, optional
        The hash that the file must have; checked in the cache, too. Without it only the announced length is checked.
    cache : path, optional
        Folder; default: the environment variable ``DRAINSTATS_CACHE``, else the user's cache folder.
    offline : bool, default False
        Never touch the network: what is not in the cache is an error.
    max_bytes : int, default 4 GiB
        A longer file is refused while it streams. Compressed files must stay below 64 GiB uncompressed.
    timeout : float, default 30.0
        Seconds without a byte, or with fewer than 1,024, after which a try counts as stalled.
    patience : Patience
        How often to try and how long to wait in between.

    Returns
    -------
    Path
        The file in the cache, under its own name.

    Raises
    ------
    FetchError
        The server does not have the file, refused it, sent another one, too much, or failed at every try.
    OptionError
        ``sha256`` is none.
    DataError
        Offline and not in the cache; or a compressed file that is damaged, too large, or unsafe.
    MissingExtraError
        Without the extra ``fetch``.

    Examples
    --------
    >>> import tempfile, drainstats
    >>> from drainstats.sources.fetch import fetch_file
    >>> try:
    ...     fetch_file("https://example.org/bars.csv", cache=tempfile.mkdtemp(), offline=True)
    ... except drainstats.errors.DataError as error:
    ...     print(str(error)[:58])
    bars.csv is not in the cache and offline=True forbids fetc
    """
    check_address(url)
    sha256 = _spelled(sha256)
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    path = cache_folder(cache) / "files" / key / _file_name(url)
    if cached(path, sha256):
        return path
    if offline:
        raise not_cached(path)
    return download(url, path, sha256, Terms(max_bytes, timeout, patience))


def cache_folder(cache: str | os.PathLike[str] | None = None) -> Path:
    """Where fetched files are kept: the argument, ``DRAINSTATS_CACHE``, or the user's cache folder."""
    named = cache or os.environ.get("DRAINSTATS_CACHE")
    return Path(named) if named else Path(require_extra("pooch", "fetch").os_cache("drainstats"))


def cached(path: Path, sha256: str | None) -> bool:
    """Whether the file is there and has the hash, if one is known."""
    return path.is_file() and sha256 in (None, digest(path))


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def not_cached(path: Path) -> DataError:
    """The error of an offline call that finds nothing."""
    state = "is in the cache with another sha256 than expected" if path.is_file() else "is not in the cache"
    return DataError(
        f"{path.name} {state} and offline=True forbids fetching it: call once with offline=False, or name the folder "
        "that holds it in DRAINSTATS_CACHE (fetched before) or DRAINSTATS_DATA (own copies).",
        file=path,
    )


def download(
    url: str,
    path: Path,
    sha256: str | None = None,
    terms: Terms = _TERMS,
    *,
    refresh: bool = False,
    inspect: Callable[[Path], object] | None = None,
) -> Path:
    """Fetch a file to ``path``, whole and verified; with ``refresh`` even when it is there.

    ``inspect`` may raise a `DataError` over the file before it gets its name. Processes and threads that want the same
    file wait for the first, then find it.
    """
    check_address(url)
    require_extra("pooch", "fetch")
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_name(f"{path.name}.lock")):
        if not refresh and cached(path, sha256):
            return path
        part = path.with_name(f"{path.name}.part")
        _verified(url, part, sha256, terms)
        try:
            unpacked_size(part, terms.max_unpacked)
            if inspect is not None:
                inspect(part)
        except DataError:
            drop(part)
            raise
        part.replace(path)
        drop(part)
    return path


def _verified(url: str, part: Path, sha256: str | None, terms: Terms) -> None:
    for _ in range(2):
        receive(url, part, terms)
        found = digest(part)
        if sha256 in (None, found):
            return
        drop(part)
    raise FetchError(
        f"The file has the sha256 {found}, {sha256} was expected; fetched twice. The source holds another file now, or "
        "the expected hash is wrong.",
        url=url,
    )


def _spelled(sha256: str | None) -> str | None:
    if sha256 is None or re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        return sha256 and sha256.lower()
    raise OptionError(f"sha256={sha256!r} is no sha256: 64 hexadecimal digits are expected.")


def _file_name(url: str) -> str:
    last = unquote(urlsplit(url).path.rpartition("/")[2])
    return re.sub(r"[^\w.+-]", "_", last).lstrip(".")[-120:] or "file"
