"""The quality page in headless Chromium: no request leaves it, no error in the console, every link has its target."""

from __future__ import annotations

import json

import pytest

import drainstats as ds
from tests.panel.test_quality_ticks import QUOTES, TRADES
from tests.report.test_browser import browser, call  # noqa: F401
from tests.report.test_quality_page import faulty

pytestmark = pytest.mark.browser


def run(session, script):
    return call(f"{session}/execute/sync", {"script": script, "args": []})


def test_the_page_opens_clean(browser, tmp_path):  # noqa: F811
    path = ds.write_quality({"<script>alert(1)</script>": faulty(), "Ticks": (TRADES, QUOTES)}, tmp_path / "q.html")
    call(f"{browser}/url", {"url": path.as_uri()})
    width, height = run(
        browser, "const b = document.querySelector('svg.figure').getBoundingClientRect(); return [b.width, b.height]"
    )
    assert width > 300
    assert height > 100
    assert run(browser, "return document.scripts.length + document.title") == "0Data quality"
    assert run(browser, "return document.querySelector('h2').textContent") == "<script>alert(1)</script>"
    lost = (
        "return [...document.querySelectorAll('a')].filter(a => !document.querySelector(a.getAttribute('href'))).length"
    )
    assert run(browser, lost) == 0
    # Nothing is wider than the page: wide tables scroll in their own box.
    assert run(browser, "return document.documentElement.scrollWidth <= window.innerWidth")
    assert call(f"{browser}/se/log", {"type": "browser"}) == []
    events = [json.loads(e["message"])["message"] for e in call(f"{browser}/se/log", {"type": "performance"})]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert {u for u in asked if not u.startswith(("data:", "chrome:"))} == {path.as_uri()}
