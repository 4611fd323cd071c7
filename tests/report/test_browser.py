"""The report in headless Chromium: no request leaves the page, no error in the console, every figure has a size."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import drainstats as ds
from drainstats.report.figures import FIGURES

pytestmark = pytest.mark.browser
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync",
]  # fmt: skip


def call(url, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["value"]


@pytest.fixture
def browser(tmp_path):
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not (driver and chromium):
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium and chromedriver must be installed where CI=true")
        pytest.skip("Chromium or chromedriver is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                call(f"{base}/status")
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        options = {"args": [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"], "binary": chromium}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        session = call(f"{base}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        yield f"{base}/session/{session}"
        call(f"{base}/session/{session}", method="DELETE")
    finally:
        server.terminate()
        server.wait(10)


def test_the_report_opens_clean(browser, analysis, tmp_path):
    path = ds.write_report(analysis, tmp_path / "r.html")
    call(f"{browser}/url", {"url": path.as_uri()})
    boxes = "[...document.querySelectorAll('svg.figure')].map(e => e.getBoundingClientRect())"
    script = f"return {boxes}.map(b => [b.width, b.height])"
    sizes = call(f"{browser}/execute/sync", {"script": script, "args": []})
    assert len(sizes) == len(FIGURES)
    assert all(width > 300 and height > 60 for width, height in sizes)
    title = call(f"{browser}/execute/sync", {"script": "return document.scripts.length + document.title", "args": []})
    assert title == "0Liquidity drains"
    console = call(f"{browser}/se/log", {"type": "browser"})
    assert console == []
    events = [json.loads(e["message"])["message"] for e in call(f"{browser}/se/log", {"type": "performance"})]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    # The browser's own start page, which was open before, asks for chrome: addresses inside the browser.
    assert {u for u in asked if not u.startswith(("data:", "chrome:"))} == {path.as_uri()}
