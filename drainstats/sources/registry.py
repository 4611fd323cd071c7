"""Where bundled datasets live: inside the wheel, or in the repository's folder for editable installs."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

from drainstats.errors import DataError, OptionError

_PACKAGE = Path(__file__).parents[1]


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
        raise OptionError(f"There is no bundled dataset {name!r}; there are {', '.join(known)}.")
    return known[name]
