"""Datasets: the bundled ones inside the wheel (or the repository, for editable installs), and the ones to fetch.

``fetchable.json`` names the public address of each file: a repository, a commit, a path, and the sha256 of its bytes.
A file is looked for in the folder that ``DRAINSTATS_DATA`` names, then in the cache, then at its address.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

from drainstats.errors import DataError, OptionError
from drainstats.sources.fetch import cache_folder, cached, digest, download, not_cached
from drainstats.sources.transport import Terms

HOST = "https://raw.githubusercontent.com"
_PACKAGE = Path(__file__).parents[1]
_FETCHABLE = Path(__file__).parent / "fetchable.json"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file with a public address.

    dataset, folder : the entry it belongs to, and where copies lie under ``DRAINSTATS_DATA``; name : its own;
    asset : whose data it holds; repo, commit, path : where it is; bytes, sha256 : what it is (None: not known).
    """

    dataset: str
    folder: str
    name: str
    asset: str
    repo: str
    commit: str
    path: str
    bytes: int
    sha256: str | None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{HOST}/{self.repo}/{self.commit}/{quote(self.path)}"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a file was found; source : "DRAINSTATS_DATA, verified", "local, unverified", "cache" or "download"."""

    file: RemoteFile
    path: Path
    source: str

    def record(self) -> dict[str, Any]:
        """What a provenance says of it."""
        file = self.file
        return {
            "file": file.name,
            "source": self.source,
            "url": file.url,
            "commit": file.commit,
            "sha256": file.sha256,
            "bytes": file.bytes,
        }


def folders() -> list[Path]:
    """The folders of the bundled datasets, by name."""
    for root in (_PACKAGE / "_datasets", _PACKAGE.parent / "datasets"):
        found = sorted(p.parent for p in root.glob("*/metadata.json"))
        if found:
            return found
    raise DataError("The bundled datasets are missing from this installation; install drainstats again.")


def metadata(name: str) -> dict[str, Any]:
    """What ``metadata.json`` says of a dataset; an unknown name raises `OptionError` with the known ones."""
    return dict(json.loads((_folder(name) / "metadata.json").read_text(encoding="utf-8")))


def content(name: str) -> bytes:
    """The uncompressed table of a bundled dataset, its hash checked."""
    path = _folder(name) / "data.csv.gz"
    record = metadata(name)
    try:
        with gzip.open(path, "rb") as file:
            # One byte more than recorded is enough to see that the file is another.
            data = file.read(record["bytes"] + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"The bundled file cannot be read ({error}); install drainstats again.", file=path) from error
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise DataError("The bundled file is not the one its metadata describe; install drainstats again.", file=path)
    return data


def _folder(name: str) -> Path:
    known = {p.name: p for p in folders()}
    if name not in known:
        hint = " This one is fetched: fetch_dataset." if name in entries() else ""
        raise OptionError(f"There is no bundled dataset {name!r}; there are {', '.join(known)}.{hint}")
    return known[name]


def entries() -> dict[str, dict[str, Any]]:
    """What is known of the datasets to fetch, by name."""
    return dict(json.loads(_FETCHABLE.read_text(encoding="utf-8")))


def entry(name: str) -> dict[str, Any]:
    """What is known of one of them; an unknown name raises `OptionError` with the known ones."""
    known = entries()
    if name not in known:
        raise OptionError(
            f"There is no dataset {name!r} to fetch; there are {', '.join(known)}. The bundled ones need no fetching: "
            "load_dataset."
        )
    return known[name]


def remote_files(name: str, patterns: Iterable[str] | None = None) -> list[RemoteFile]:
    """The files of a dataset whose names match one of the patterns, as in a shell; by default of one frequency."""
    known = entry(name)
    wanted = list(known.get("default", ["*"]) if patterns is None else patterns)
    files = [
        RemoteFile(name, known["folder"], local, asset, source["repo"], source["commit"], path, size, sha256)
        for source in known["sources"]
        for path, local, size, sha256, asset in source["files"]
    ]
    taken = [f for f in files if any(fnmatchcase(f.name, p) for p in wanted)]
    if not taken:
        some = ", ".join(f.name for f in files[:5])
        raise OptionError(f"files={wanted} matches no file of {name}; it has {len(files)}, such as {some}.")
    return taken


def find(file: RemoteFile, cache: str | os.PathLike[str] | None = None, offline: bool = False) -> Found:
    """Find a file under ``DRAINSTATS_DATA``, in the cache, or, unless ``offline``, at its address.

    Raises
    ------
    DataError
        Offline, and no copy has the expected hash.
    FetchError
        The download failed.
    """
    own = os.environ.get("DRAINSTATS_DATA")
    local = Path(own) / file.folder / file.name if own else None
    if local and cached(local, file.sha256):
        return Found(file, local, "DRAINSTATS_DATA, verified" if file.sha256 else "local, unverified")
    kept = cache_folder(cache) / "datasets" / file.dataset / file.commit[:12] / file.name
    if cached(kept, file.sha256):
        return Found(file, kept, "cache")
    if not offline:
        return Found(file, download(file.url, kept, file.sha256, Terms(max_bytes=file.bytes)), "download")
    if local and local.is_file():
        raise DataError(
            f"The copy under DRAINSTATS_DATA has the sha256 {digest(local)}, {file.sha256} was expected, and "
            "offline=True forbids fetching the right one: call once with offline=False, or replace the copy.",
            file=local,
        )
    raise not_cached(kept)
