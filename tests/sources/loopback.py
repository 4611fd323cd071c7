"""A server on 127.0.0.1 that breaks off, stalls, corrupts, redirects and refuses, as told."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from drainstats.sources.transport import Patience

QUICK = Patience(attempts=3, first=0.001, longest=0.02)


def sha(body):
    return hashlib.sha256(body).hexdigest()


class Loopback:
    """Answers by path: each request takes the next answer of its path, the last one again and again."""

    def __init__(self):
        self.answers = {}
        self.otherwise = status(404)
        self.requests = []
        self.taken = defaultdict(int)
        self.closing = threading.Event()
        self.halfway = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def on(self, path, *answers):
        self.answers[path] = answers
        return self.url + path

    def asked(self, path):
        return [headers for p, headers in self.requests if p == path]

    def _handler(self):
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answers = loopback.answers.get(self.path, (loopback.otherwise,))
                turn = loopback.taken[self.path]
                loopback.taken[self.path] += 1
                loopback.requests.append((self.path, dict(self.headers)))
                with suppress(OSError):  # the client goes away, as some tests want it to
                    answers[min(turn, len(answers) - 1)](self, loopback)

            def log_message(self, *_):
                pass

        return Handler


@contextmanager
def serving():
    loopback = Loopback()
    thread = threading.Thread(target=loopback.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield loopback
    finally:
        loopback.closing.set()
        loopback.server.shutdown()
        loopback.server.server_close()
        thread.join()


def status(code, **headers):
    def answer(handler, _):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


def redirect(target, code=302):
    return status(code, Location=target)


def whole(body, etag=None, *, obedient=True):
    """The body, or the rest of it when ``Range`` asks and ``If-Range`` (which only the obedient heed) names its tag."""

    def answer(handler, _):
        asked = handler.headers.get("Range")
        same = handler.headers.get("If-Range") == etag or not obedient
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        _head(handler, len(body) - start, etag)
        handler.wfile.write(body[start:])

    return answer


def sliced(body, etag, length):
    """No more than so many bytes from where ``Range`` asks."""

    def answer(handler, _):
        start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
        piece = body[start : start + length]
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{start + len(piece) - 1}/{len(body)}")
        _head(handler, len(piece), etag)
        handler.wfile.write(piece)

    return answer


def cut(body, at, etag=None):
    """Announces all of the body, sends a part, and hangs up."""

    def answer(handler, _):
        handler.send_response(200)
        _head(handler, len(body), etag)
        handler.wfile.write(body[:at])

    return answer


def stalled(body, at, etag=None):
    """Announces all of the body, sends a part, and falls silent."""

    def answer(handler, loopback):
        handler.send_response(200)
        _head(handler, len(body), etag)
        handler.wfile.write(body[:at])
        handler.wfile.flush()
        loopback.halfway.set()
        loopback.closing.wait(10)

    return answer


def endless(chunk):
    """Sends the chunk until the client hangs up, announcing no length."""

    def answer(handler, loopback):
        handler.send_response(200)
        handler.end_headers()
        while not loopback.closing.is_set():
            handler.wfile.write(chunk)

    return answer


def dripping(body, pause):
    """Announces all of the body and sends it byte by byte."""

    def answer(handler, loopback):
        handler.send_response(200)
        _head(handler, len(body), None)
        for i in range(len(body)):
            handler.wfile.write(body[i : i + 1])
            if loopback.closing.wait(pause):
                return

    return answer


def chunked(body, pieces, *, finished=True):
    """Sends the body in chunks of HTTP/1.1, which announce no length, with or without the last one."""

    def answer(handler, _):
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        step = -(-len(body) // pieces)
        for i in range(0, len(body), step):
            chunk = body[i : i + step]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if finished:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return answer


def slow(body, pieces, pause):
    def answer(handler, loopback):
        handler.send_response(200)
        _head(handler, len(body), None)
        step = -(-len(body) // pieces)
        for i in range(0, len(body), step):
            handler.wfile.write(body[i : i + step])
            loopback.closing.wait(pause)

    return answer


def _head(handler, length, etag):
    handler.send_header("Content-Length", str(length))
    if etag:
        handler.send_header("ETag", etag)
    handler.end_headers()
