"""The lock: nobody else inside, whether threads or processes, and no lock survives its holder."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from drainstats.sources.locking import alone

COUNT = """
import sys, pathlib
from drainstats.sources.locking import alone
folder = pathlib.Path(sys.argv[1])
for _ in range(100):
    with alone(folder / "lock"):
        n = int((folder / "n").read_text())
        (folder / "n").write_text(str(n + 1))
"""
HOLD = """
import sys, pathlib, time
from drainstats.sources.locking import alone
with alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_threads_count_without_loss(tmp_path):
    number = [0]

    def count(_):
        for _ in range(100):
            with alone(tmp_path / "lock"):
                seen = number[0]
                assert (tmp_path / "lock").exists()
                number[0] = seen + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert number == [800]
    assert list(tmp_path.iterdir()) == []


def test_processes_count_without_loss(tmp_path):
    (tmp_path / "n").write_text("0")
    running = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(3)]
    assert [p.wait(60) for p in running] == [0, 0, 0]
    assert (tmp_path / "n").read_text() == "300"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_holder_leaves_no_lock(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    assert (tmp_path / "lock").exists()
    with alone(tmp_path / "lock"):
        pass
    assert not (tmp_path / "lock").exists()


def test_an_error_inside_lets_go(tmp_path):
    with pytest.raises(KeyError), alone(tmp_path / "lock"):
        raise KeyError("x")
    with alone(tmp_path / "lock"):
        assert (tmp_path / "lock").exists()
