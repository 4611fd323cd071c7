"""Downloads: what a bad server, a bad line or a bad moment can do, and that the cache never holds a bad file."""

from __future__ import annotations

import os
import pickle
import socket
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest

from drainstats.errors import DataError, FetchError, MissingExtraError, OptionError
from drainstats.sources import transport
from drainstats.sources.fetch import cache_folder, cached, download
from drainstats.sources.transport import Patience, Terms, check_address
from tests.sources.loopback import (
    QUICK,
    chunked,
    cut,
    dripping,
    endless,
    redirect,
    sha,
    sliced,
    slow,
    stalled,
    status,
    whole,
)

pytest.importorskip("pooch")
BODY = np.random.default_rng(0).bytes(300_000)
TERMS = Terms(timeout=0.3, patience=QUICK)


def _left(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


# What works ------------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_once_and_keeps_its_name(server, fetch, tmp_path):
    url = server.on("/deep/some%20bars.csv?x=1", whole(BODY))
    path = fetch(url, sha(BODY))
    assert path.name == "some_bars.csv"
    assert path.read_bytes() == BODY
    assert fetch(url, sha(BODY)) == path
    assert len(server.requests) == 1
    assert _left(tmp_path) == ["some_bars.csv"]


def test_a_hash_may_be_spelled_in_capitals_but_must_be_one(server, fetch):
    assert fetch(server.on("/x.csv", whole(BODY)), sha(BODY).upper()).read_bytes() == BODY
    with pytest.raises(OptionError, match="64 hexadecimal digits"):
        fetch(server.url + "/x.csv", "md5:123")


def test_without_a_hash_a_file_is_fetched_too(server, fetch):
    assert fetch(server.on("/x.csv", whole(b"a,b\n"))).read_bytes() == b"a,b\n"


def test_the_same_name_at_two_addresses_is_two_files(server, fetch):
    one, two = fetch(server.on("/a/x.csv", whole(b"1"))), fetch(server.on("/b/x.csv", whole(b"2")))
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")


@pytest.mark.parametrize("name", ["..", "%2e%2e%2f%2e%2e%2fx", ".hidden", "", "a%00b", "%5c..%5cx"])
def test_no_name_leads_out_of_the_cache(server, fetch, tmp_path, name):
    server.otherwise = whole(b"1")
    path = fetch(f"{server.url}/{name}")
    assert path.resolve().is_relative_to(tmp_path)
    assert path.parent.parent.name == "files"


def test_the_cache_folder_is_named_by_argument_or_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DRAINSTATS_CACHE", str(tmp_path / "env"))
    assert cache_folder() == tmp_path / "env"
    assert cache_folder(tmp_path) == tmp_path
    monkeypatch.delenv("DRAINSTATS_CACHE")
    assert cache_folder().name == "drainstats"


# What goes wrong on the way --------------------------------------------------------------------------------------


@pytest.mark.parametrize("etag", ['"v1"', None])
def test_a_body_that_breaks_off_is_completed(server, fetch, etag):
    url = server.on("/x.bin", cut(BODY, 200_000, etag), whole(BODY, etag))
    assert fetch(url).read_bytes() == BODY
    resumed = "Range" in server.requests[1][1]
    assert resumed == (etag is not None), "without a tag nobody knows whether the rest belongs to the same file"


def test_a_stall_is_a_failure_that_passes(server, fetch):
    url = server.on("/x.bin", stalled(BODY, 100_000, '"v1"'), whole(BODY, '"v1"'))
    assert fetch(url, sha(BODY)).read_bytes() == BODY


def test_a_drip_is_a_stall(server, fetch):
    url = server.on("/x.bin", dripping(BODY, 0.02), whole(BODY))
    assert fetch(url, sha(BODY)).read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_slow_line_is_no_stall(server, fetch):
    # Longer in all than the time limit, never that long without news.
    url = server.on("/x.bin", slow(BODY, pieces=8, pause=0.08))
    assert fetch(url, sha(BODY)).read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_chunked_body_that_breaks_off_is_fetched_again(server, fetch):
    url = server.on("/x.bin", chunked(BODY, 7, finished=False), chunked(BODY, 7))
    assert fetch(url).read_bytes() == BODY
    assert len(server.requests) == 2


def test_what_never_completes_is_an_error_and_goes_on_next_time(server, fetch, tmp_path):
    url = server.on("/x.bin", cut(BODY, 200_000, '"v1"'))
    with pytest.raises(FetchError, match=r"failed 3 times, at last because .*it goes on where it stopped"):
        fetch(url, sha(BODY))
    assert _left(tmp_path) == ["x.bin.part", "x.bin.part.json"]
    server.on("/x.bin", whole(BODY, '"v1"'))
    assert fetch(url, sha(BODY)).read_bytes() == BODY
    assert server.requests[-1][1]["If-Range"] == '"v1"'
    assert _left(tmp_path) == ["x.bin"]


@pytest.mark.parametrize("obedient", [True, False])
def test_the_rest_of_another_version_is_not_appended(server, fetch, obedient):
    other = np.random.default_rng(1).bytes(len(BODY))
    url = server.on("/x.bin", cut(BODY, 200_000, '"v1"'), whole(other, '"v2"', obedient=obedient))
    assert fetch(url).read_bytes() == other


def test_a_server_may_send_the_rest_in_slices(server, fetch):
    url = server.on("/x.bin", cut(BODY, 100_000, '"v1"'), sliced(BODY, '"v1"', 120_000))
    assert fetch(url).read_bytes() == BODY
    assert len(server.requests) == 3


def test_a_part_longer_than_the_file_starts_anew(server, fetch):
    url = server.on("/x.bin", cut(BODY, 200_000, '"v1"'), status(416), whole(b"short", '"v2"'))
    assert fetch(url).read_bytes() == b"short"


def test_a_corrupted_body_is_fetched_again_once(server, fetch):
    bad = BODY[:-1] + bytes([BODY[-1] ^ 1])
    assert fetch(server.on("/x.bin", whole(bad), whole(BODY)), sha(BODY)).read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_wrong_hash_names_both_and_leaves_nothing(server, fetch, tmp_path):
    url = server.on("/x.bin", whole(BODY))
    with pytest.raises(FetchError, match="fetched twice") as caught:
        fetch(url, "0" * 64)
    assert sha(BODY) in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert len(server.requests) == 2
    assert _left(tmp_path) == []


def test_a_bad_file_in_the_cache_is_replaced(server, fetch):
    url = server.on("/x.bin", whole(BODY))
    path = fetch(url, sha(BODY))
    path.write_bytes(b"rotten")
    with pytest.raises(DataError, match="another sha256"):
        fetch(url, sha(BODY), offline=True)
    assert fetch(url, sha(BODY)).read_bytes() == BODY


def test_404_is_an_error_at_once(server, fetch):
    with pytest.raises(FetchError, match="404: the server has no such file") as caught:
        fetch(server.url + "/nothing.csv")
    assert caught.value.status == 404
    assert caught.value.url.endswith("/nothing.csv")
    assert len(server.requests) == 1


def test_the_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(FetchError("No.", url="https://example.org/x", status=404)))
    assert (str(error), error.url, error.status) == ("No. [https://example.org/x]", "https://example.org/x", 404)
    assert isinstance(error, OSError)


@pytest.mark.parametrize("code", [401, 403, 451])
def test_a_refusal_is_an_error_at_once(server, fetch, code):
    with pytest.raises(FetchError, match=f"{code}: the server refused"):
        fetch(server.on("/x.csv", status(code)))
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503])
def test_a_busy_server_is_asked_again(server, fetch, code):
    assert fetch(server.on("/x.csv", status(code), whole(b"1"))).read_bytes() == b"1"


def test_a_server_that_stays_broken_is_an_error(server, fetch):
    with pytest.raises(FetchError, match=r"failed 3 times, at last because the server answered 500"):
        fetch(server.on("/x.csv", status(500)))
    assert len(server.requests) == 3


def test_nobody_listening_is_an_error(fetch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FetchError, match="connection broke off or stalled"):
        fetch(f"http://127.0.0.1:{port}/x.csv")


# Pauses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", ["7", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)], ids=["seconds", "date"]
)
def test_a_server_may_ask_for_a_pause_up_to_the_cap(server, fetch, monkeypatch, asked):
    pauses = []
    monkeypatch.setattr(transport.time, "sleep", pauses.append)
    url = server.on("/x.csv", status(429, Retry_After=asked), whole(b"1"))
    fetch(url, patience=Patience(first=0.001, longest=30.0))
    assert pauses == [7.0 if asked == "7" else 30.0]


@pytest.mark.parametrize("asked", ["soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_pause_that_means_nothing_is_ours(server, fetch, monkeypatch, asked):
    pauses = []
    monkeypatch.setattr(transport.time, "sleep", pauses.append)
    fetch(server.on("/x.csv", status(429, Retry_After=asked), whole(b"1")), patience=Patience(first=1.0))
    assert 0.5 <= pauses[0] < 1.5


def test_pauses_double_with_jitter_and_a_cap():
    patience = Patience(first=1.0, longest=6.0)
    drawn = np.array([[patience.pause(n) for n in (1, 2, 3, 4)] for _ in range(200)])
    assert (drawn[:, 0] >= 0.5).all()
    assert (drawn[:, 0] < 1.5).all()
    assert np.unique(drawn[:, 0]).size > 100
    # Means of uniform numbers, 200 each: a tenth is five standard errors.
    assert drawn[:, 1].mean() == pytest.approx(2.0, rel=0.1)
    assert drawn.max() <= 6.0


# Addresses -------------------------------------------------------------------------------------------------------

REFUSED = [
    "http://example.org/x.csv",
    "http://127.0.0.1.example.org/x",
    "http://127.0.0.1@example.org/x",
    "http://10.0.0.1/x",
    "ftp://example.org/x",
    "file:///etc/passwd",
    "//example.org/x",
    "x.csv",
    "https://",
    "https://example.org\\@127.0.0.1/",
    "https://exa mple.org/",
    "https://example.org/a\nb",
    "https://[::1/x",
    "HTTP://example.org/x",
]


@pytest.mark.parametrize("url", REFUSED)
def test_addresses_that_are_refused(url, fetch):
    with pytest.raises(FetchError, match=r"https|host|cannot be read"):
        check_address(url)
    with pytest.raises(FetchError, match=r"https|host|cannot be read"):
        fetch(url)


@pytest.mark.parametrize(
    "url", ["https://example.org/x", "http://localhost:8/x", "http://127.0.0.9/x", "http://[::1]:80/x"]
)
def test_addresses_that_are_taken(url):
    assert check_address(url) is None


def test_a_redirect_may_not_leave_https():
    check_address("https://b.example/x", before="https://a.example/x")
    check_address("https://b.example/x", before="http://127.0.0.1/x")
    with pytest.raises(FetchError, match="from https to plain http"):
        check_address("http://127.0.0.1/x", before="https://a.example/x")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server, fetch, code):
    server.on("/there.csv", whole(b"1"))
    path = fetch(server.on("/here.csv", redirect("there.csv", code)))
    assert path.read_bytes() == b"1"
    assert path.name == "here.csv"


@pytest.mark.parametrize(
    "target",
    ["http://example.org/x", "//example.org/x", "http://10.0.0.1/x", "file:///etc/passwd", "ftp://a/b", "https:"],
)
def test_redirects_are_checked_like_addresses(server, fetch, tmp_path, target):
    with pytest.raises(FetchError, match=r"Only https is fetched|has no host"):
        fetch(server.on("/x.csv", redirect(target)))
    assert len(server.requests) == 1
    assert _left(tmp_path) == []


def test_redirects_come_to_an_end(server, fetch):
    with pytest.raises(FetchError, match="redirected more than 5 times"):
        fetch(server.on("/x.csv", redirect("/x.csv")))
    assert len(server.requests) == 6


# Size ------------------------------------------------------------------------------------------------------------


def test_an_announced_length_above_the_cap_is_refused(server, fetch, tmp_path):
    with pytest.raises(FetchError, match="longer than the 1,000 bytes"):
        fetch(server.on("/x.bin", stalled(BODY, 0)), max_bytes=1000)
    assert len(server.requests) == 1, "before the body comes"
    assert _left(tmp_path) == []


def test_an_endless_body_is_stopped_at_the_cap(server, fetch, tmp_path):
    with pytest.raises(FetchError, match="longer than the 1,000,000 bytes"):
        fetch(server.on("/x.bin", endless(BODY)), max_bytes=1_000_000)
    assert _left(tmp_path) == []


# Others at the same time, and sudden death ------------------------------------------------------------------------


@pytest.fixture
def unplugged(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was touched")

    def plug_out():
        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(socket, "create_connection", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    return plug_out


def test_offline_never_touches_the_network(server, fetch, unplugged):
    url = server.on("/x.bin", whole(BODY))
    path = fetch(url, sha(BODY))
    unplugged()
    assert fetch(url, sha(BODY), offline=True) == path
    with pytest.raises(DataError, match=r"y\.bin is not in the cache and offline=True forbids fetching it: call once"):
        fetch("https://example.org/y.bin", offline=True)


def test_download_can_refresh(server, tmp_path):
    url = server.on("/x", whole(b"1"), whole(b"2"))
    path = tmp_path / "x"
    download(url, path, terms=TERMS)
    assert download(url, path, terms=TERMS).read_bytes() == b"1"
    assert download(url, path, terms=TERMS, refresh=True).read_bytes() == b"2"
    assert cached(path, sha(b"2"))


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[fetch\]"):
        download("https://example.org/x", tmp_path / "x")
    assert os.listdir(tmp_path) == []
