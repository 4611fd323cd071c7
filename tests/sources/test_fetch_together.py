"""Several processes and threads that fetch one file, killed fetches, a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from drainstats.errors import FetchError
from drainstats.sources import transport
from drainstats.sources.fetch import digest
from tests.sources.loopback import (
    sha,
    slow,
    stalled,
    whole,
)
from tests.sources.test_fetch import BODY, _left

SCRIPT = """
import sys
from drainstats.sources.fetch import digest, fetch_file
url, sha256, cache = sys.argv[1:]
print(digest(fetch_file(url, sha256, cache=cache)))
"""


def _process(url, sha256, cache):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, url, sha256, str(cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_fetch_it_once_and_both_have_it(server, tmp_path):
    url = server.on("/x.bin", slow(BODY, pieces=10, pause=0.05))
    both = [_process(url, sha(BODY), tmp_path) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=30)
        assert (out.strip(), process.returncode) == (sha(BODY), 0), err
    assert len(server.requests) == 1
    assert _left(tmp_path) == ["x.bin"]


def test_threads_at_once_fetch_it_once(server, fetch):
    url = server.on("/x.bin", slow(BODY, pieces=5, pause=0.02))
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch(url, sha(BODY)), range(8)))
    assert {digest(p) for p in paths} == {sha(BODY)}
    assert len(server.requests) == 1


def test_failing_threads_do_not_keep_each_other_waiting(server, fetch):
    url = server.on("/x.bin", whole(BODY))
    with ThreadPoolExecutor(4) as pool:
        errors = [pool.submit(fetch, url, "0" * 64).exception(timeout=20) for _ in range(4)]
    assert all(isinstance(e, FetchError) for e in errors)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_fetch_leaves_no_bad_file_and_is_resumed(server, tmp_path, fetch):
    url = server.on("/x.bin", stalled(BODY, 200_000, '"v1"'), whole(BODY, '"v1"'))
    process = _process(url, sha(BODY), tmp_path)
    assert server.halfway.wait(20)
    while not any(p.suffix == ".part" and p.stat().st_size for p in tmp_path.rglob("*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert "x.bin" not in _left(tmp_path)
    path = fetch(url, sha(BODY))
    assert path.read_bytes() == BODY
    assert int(server.requests[-1][1]["Range"].removeprefix("bytes=").rstrip("-")) > 0
    assert _left(tmp_path) == ["x.bin"]


def test_a_full_disk_leaves_no_bad_file(server, fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(transport.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        fetch(server.on("/x.bin", whole(BODY)), sha(BODY))
    assert "x.bin" not in _left(tmp_path)


# Offline ---------------------------------------------------------------------------------------------------------
