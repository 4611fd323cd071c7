"""HTTP with patience: a body into a ``.part`` file that outlives broken connections; https, or this machine itself."""

from __future__ import annotations

import ipaddress
import json
import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from drainstats.errors import FetchError, require_extra
from drainstats.files import write_whole
from drainstats.sources.archives import MAX_UNPACKED

MAX_BYTES = 4 * 2**30
_CHUNK = 2**16
_LEAST = 1024
_HOPS = 5
_BUSY = (408, 425, 429)
_CHANCE = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a download is tried, and how long the pauses are.

    Parameters
    ----------
    attempts : int, default 5
        Tries in all, for a body that breaks off, a stall, a lost connection, 408, 425, 429 and 5xx.
    first : float, default 1.0
        Seconds before the second try; each further pause is twice as long, times a random number in [0.5, 1.5).
    longest : float, default 60.0
        No pause is longer, whatever a server's ``Retry-After`` asks.
    """

    attempts: int = 5
    first: float = 1.0
    longest: float = 60.0

    def pause(self, failures: int, asked: float = 0.0) -> float:
        """Seconds to wait after so many failures, when the server asked for so many."""
        return min(self.longest, max(asked, self.first * 2 ** (failures - 1) * _CHANCE.uniform(0.5, 1.5)))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a download may take: bytes on the wire and uncompressed, seconds of silence, tries."""

    max_bytes: int = MAX_BYTES
    timeout: float = 30.0
    patience: Patience = Patience()
    max_unpacked: int = MAX_UNPACKED


class _Again(Exception):
    """A failure that may pass; ``asked`` is how many seconds the server wants us to wait."""

    def __init__(self, reason: str, asked: float = 0.0) -> None:
        super().__init__(reason)
        self.asked = asked


def check_address(url: str, before: str | None = None) -> None:
    """Refuse an address that is not https, nor plain http on this machine; ``before`` is where a redirect came from.

    Examples
    --------
    >>> check_address("https://example.org/x.csv")
    >>> check_address("http://127.0.0.1:8000/x.csv")
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise FetchError(f"The address cannot be read ({error}).", url=url) from error
    if not host or re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise FetchError("The address has no host, or a character that no address has.", url=url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise FetchError(
            "Only https is fetched, and plain http from this machine itself; give an https address.", url=url
        )
    if before and urlsplit(before).scheme == "https" and parts.scheme != "https":
        raise FetchError(f"{before} leads from https to plain http, which is refused.", url=url)


def receive(url: str, part: Path, terms: Terms) -> None:
    """Bring ``part`` to the whole file: go on where it stands if the server still has that version, else anew."""
    for failures in range(1, terms.patience.attempts + 1):
        try:
            return _stream(url, part, terms)
        except _Again as again:
            reason = again
        if failures < terms.patience.attempts:
            time.sleep(terms.patience.pause(failures, reason.asked))
    raise FetchError(
        f"The download failed {terms.patience.attempts} times, at last because {reason}; try again later: it goes on "
        "where it stopped.",
        url=url,
    )


def _stream(url: str, part: Path, terms: Terms) -> None:
    requests, urllib3 = require_extra("requests", "fetch"), require_extra("urllib3", "fetch")
    start, headers = _resumption(url, part)
    try:
        with _opened(url, headers, terms.timeout) as response:
            _check_status(response, part, url)
            total = _total(response, start, headers.get("If-Range", ""))
            if total is None and response.status_code == 206:
                drop(part)
                raise _Again("the server sent another part than the one asked for")
            if (total or 0) > terms.max_bytes:
                raise _too_long(url, terms)
            _write(response, url, part, start if response.status_code == 206 else 0, terms)
    except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
        raise FetchError(f"The connection was refused on our side ({error}).", url=url) from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Again(f"the connection broke off or stalled ({error})") from error
    if total is not None and part.stat().st_size != total:
        raise _Again(f"{part.stat().st_size:,} of {total:,} bytes came")


def _write(response: Any, url: str, part: Path, start: int, terms: Terms) -> None:
    with part.open("ab" if start else "wb") as file:
        if not start:
            # Only now that the old bytes are gone: a note must never describe bytes of another version.
            _take_note(response, url, part)
        size = start
        for chunk in _chunks(response, terms.timeout):
            size += len(chunk)
            if size > terms.max_bytes:
                drop(part)
                raise _too_long(url, terms)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _chunks(response: Any, timeout: float) -> Iterator[bytes]:
    """The bytes as they are sent; a server that lets them drip counts as stalled."""
    since, came = time.monotonic(), 0
    # Not decoded: a .gz that the server labels as an encoding must stay compressed.
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        yield chunk
        came += len(chunk)
        if came >= _LEAST:
            since, came = time.monotonic(), 0
        elif time.monotonic() - since > timeout:
            raise _Again(f"fewer than {_LEAST:,} bytes came in {timeout:g} seconds")


def _too_long(url: str, terms: Terms) -> FetchError:
    return FetchError(f"The file is longer than the {terms.max_bytes:,} bytes that are allowed.", url=url)


@contextmanager
def _opened(url: str, headers: dict[str, str], timeout: float) -> Iterator[Any]:
    with require_extra("requests", "fetch").Session() as session:
        for _ in range(_HOPS + 1):
            # No proxy stands between this machine and itself.
            session.trust_env = not _is_loopback(urlsplit(url).hostname or "")
            response = session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=timeout)
            with response:
                target = session.get_redirect_target(response)
                if target is None:
                    yield response
                    return
            check_address(urljoin(url, target), before=url)
            url = urljoin(url, target)
    raise FetchError(f"The address was redirected more than {_HOPS} times.", url=url)


def _check_status(response: Any, part: Path, url: str) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status == 416:
        drop(part)
        raise _Again("the server has no bytes beyond those that were here, so the file is fetched anew")
    if status in _BUSY or status >= 500:
        raise _Again(f"the server answered {status} {response.reason}", _seconds(response.headers.get("Retry-After")))
    if status in (404, 410):
        raise FetchError(f"{status}: the server has no such file; check the address.", url=url, status=status)
    raise FetchError(f"{status}: the server refused the file ({response.reason}).", url=url, status=status)


def _total(response: Any, start: int, version: str) -> int | None:
    """The length of the whole file as announced; None when unknown, or when not the part that was asked for came."""
    if response.status_code == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        return int(span[2]) if span and int(span[1]) == start > 0 and _same(response, version) else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _same(response: Any, version: str) -> bool:
    # Some servers send the rest of whatever they have now, without a look at If-Range.
    sent = {response.headers.get("ETag"), response.headers.get("Last-Modified")} - {None}
    return not sent or version in sent


def _seconds(asked: str | None) -> float:
    """A ``Retry-After``: seconds, or a date."""
    if asked is None:
        return 0.0
    try:
        return max(0.0, float(asked) if asked.isdecimal() else _until(parsedate_to_datetime(asked)))
    except ValueError:
        return 0.0


def _until(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()


def _resumption(url: str, part: Path) -> tuple[int, dict[str, str]]:
    """How many bytes are here already, and the headers that ask for the rest of the same version of the file."""
    headers = {"User-Agent": "drainstats", "Accept-Encoding": "identity"}
    start = part.stat().st_size if part.is_file() else 0
    version = _noted(url, part)
    if start == 0 or version is None:
        return 0, headers
    return start, headers | {"Range": f"bytes={start}-", "If-Range": version}


def _noted(url: str, part: Path) -> str | None:
    try:
        note = json.loads(_note_of(part).read_bytes())
        return str(note["version"]) if note["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _take_note(response: Any, url: str, part: Path) -> None:
    etag = response.headers.get("ETag", "")
    # A weak tag names a file's meaning, not its bytes.
    version = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    if version:
        write_whole(_note_of(part), json.dumps({"url": url, "version": version}).encode())
    else:
        _note_of(part).unlink(missing_ok=True)


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def drop(part: Path) -> None:
    """Forget what was received so far."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
