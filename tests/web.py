"""A running server, and requests to it, for the tests of the page."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fashion16_lib.search.retrieval import DirectSearch, Fashion16
from fashion16_lib.web.serve import address_of, make_server
from fashion16_lib.web.served import Served

ROOT = Path(__file__).resolve().parents[1]
BOUNDARY = "fashion16boundary"


def both_searches(path: Path) -> dict[str, DirectSearch]:
    """Return the two searches that a server answers with, in Python."""
    in_class = Fashion16.open(path)
    return {"in-class": in_class, "direct": DirectSearch(in_class.library, in_class.extractor, in_class.classifier)}


def serve(*arguments: Any, folder: Path) -> subprocess.Popen:
    """Start the serve command as a process; it says on its first line where it answers."""
    return subprocess.Popen(
        [sys.executable, "-m", "fashion16_lib", "serve", *map(str, arguments), "--port", "0"], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))        # a run in the background ignores it


@contextmanager
def running(path: Path, pictures: str = "") -> Iterator[str]:
    """Serve a library in a thread of this process; yield the address."""
    server = make_server(Served(path, pictures), port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield address_of(server)
    finally:
        server.task_dispatcher.shutdown()
        server.close()
        thread.join(10)


def png(image: np.ndarray, **options: Any) -> bytes:
    """Return an array as a PNG's bytes."""
    return saved(Image.fromarray(image), "png", **options)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as a file's bytes."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def form(content: bytes | None = None, filename: str = "photo.png", **fields: Any) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a form as a browser sends it."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    if content is not None:
        about = f'Content-Disposition: form-data; name="image"; filename="{filename}"\r\nContent-Type: image/png'
        parts.append(about.encode() + b"\r\n\r\n" + content)
    mark = f"--{BOUNDARY}".encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def asked(address: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """Return status, headers and body of one request over a connection of its own."""
    host = address.removeprefix("http://").rstrip("/")
    line = http.client.HTTPConnection(host, timeout=60)
    try:
        line.request(method, path, body, headers or {})
        reply = line.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        line.close()


def searched(address: str, content: bytes, query: str = "") -> tuple[int, dict[str, Any]]:
    """Return status and JSON of an upload."""
    status, headers, body = asked(address, "POST", f"/api/search{query}", content,
                                  {"Content-Type": "application/octet-stream"})
    kind = headers.get_content_type()
    assert kind == ("application/json" if status == 200 else "application/problem+json"), (status, kind, body[:200])
    return status, json.loads(body)
