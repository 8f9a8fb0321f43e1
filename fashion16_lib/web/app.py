"""Fig 5: upload a garment, see its class and its nearest; the same as a REST service."""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import numpy as np
from flask import Flask, Response, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
    RequestEntityTooLarge,
    SecurityError,
    UnsupportedMediaType,
)

from fashion16_lib.search.answer import Answer
from fashion16_lib.web.page import render_page
from fashion16_lib.web.served import BOTH, MAX_HITS, MODES, Served, Snapshot, UnavailableError, as_text
from fashion16_lib.web.thumbnail import thumbnail_png
from fashion16_lib.web.upload import MAX_BYTES, decode_upload, too_large

HOSTS = ["127.0.0.1", "localhost"]
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
                               "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(served: Served) -> Flask:
    """Return the WSGI application: the page at /, the service below /api."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BYTES + 2**16, TRUSTED_HOSTS=HOSTS)    # a form's own lines on top
    app.url_map.merge_slashes = False
    app.jinja_env.undefined = StrictUndefined
    app.json.sort_keys = False          # type: ignore[attr-defined]
    _add_page(app, served)
    _add_service(app, served)
    _add_rules(app, served)
    return app


def _add_page(app: Flask, served: Served) -> None:
    @app.get("/")
    def page() -> str:
        return render_page(served.current(), {})

    @app.post("/")
    def page_with_answers() -> str:
        mode = request.form.get("mode", BOTH)
        snapshot, answers = _answers(served, MODES if mode == BOTH else (mode,))
        return render_page(snapshot, request.form, answers)

    @app.get("/pictures/<version>/<path:item>")
    def picture(version: str, item: str) -> Response:
        response = Response(served.in_turn(lambda snapshot: _thumbnail(snapshot, version, item)), mimetype="image/png")
        response.cache_control.max_age, response.cache_control.immutable = 86_400, True
        return response


def _add_service(app: Flask, served: Served) -> None:
    @app.post("/api/search")
    def search() -> dict[str, Any]:
        return _answers(served, (_asked("mode") or MODES[0],))[1][0]

    @app.get("/api/library")
    def library() -> dict[str, Any]:
        return _library(served.current())

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "library": served.current().version}

    @app.get("/openapi.json")
    def openapi() -> Response:
        return app.send_static_file("openapi.json")


def _add_rules(app: Flask, served: Served) -> None:
    @app.before_request
    def refuse_foreign_pages() -> None:
        foreign = request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
        own = request.host_url.rstrip("/")
        if request.method == "POST" and (foreign or request.headers.get("Origin", own) != own):
            raise Forbidden("got a request from another website's page, which isn't answered; open this one's")

    @app.after_request
    def with_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        if not response.cache_control.max_age:
            response.cache_control.no_store = True
        return response

    @app.errorhandler(Exception)
    def problem(error: Exception) -> tuple[Response | str, int, dict[str, str]]:
        status, detail, headers = _told(error)
        if request.path == "/" and not isinstance(error, SecurityError | InternalServerError):      # or the page failed
            return _page_with_problem(served, status, detail), status, headers
        about = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
        return Response(json.dumps(about), mimetype="application/problem+json"), status, headers


def _page_with_problem(served: Served, status: int, detail: str) -> str:
    snapshot, asked = None, {}
    with suppress(UnavailableError):
        snapshot = served.current()
    with suppress(HTTPException):               # what was wrong may be the form
        asked = request.form.to_dict()
    return render_page(snapshot, asked, problem=status, detail=detail)


def _told(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Return status, words and headers for an error; what nobody foresaw is told to the terminal only."""
    if isinstance(error, RequestEntityTooLarge) and error.description == RequestEntityTooLarge.description:
        error = too_large() if (request.content_length or MAX_BYTES) >= MAX_BYTES else RequestEntityTooLarge(
            "got a form with too many or too long fields, expected image or item, k and mode; send these alone")
    match error:
        case HTTPException(code=int(code)):
            methods = getattr(error, "valid_methods", None) or ()
            return code, str(error.description), {"Allow": ", ".join(methods)} if methods else {}
        case UnavailableError():
            return HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "2"}
    traceback.print_exception(error, file=sys.stderr)
    return HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed at this; the terminal it runs in says why", {}


# ---------------------------------------------------------------- a question

def _asked(name: str) -> str:
    return (request.form.get(name) or request.args.get(name) or "").strip()


def _answers(served: Served, modes: tuple[str, ...]) -> tuple[Snapshot, list[dict[str, Any]]]:
    """Return what is served and its answers to the request's query, one for each mode, as they go out."""
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise BadRequest(f"mode must be one of {', '.join(MODES)}, got {unknown[0]!r}")
    text = _asked("k")
    if text and not (re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= MAX_HITS):
        raise BadRequest(f"k must be a whole number from 1 to {MAX_HITS}, got {text[:20]!r}")
    read, item = _query()
    try:
        found = served.answers(read, int(text) if text else None, modes)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return found.snapshot, [_outgoing(found.snapshot, answer, item, found.decode_ms) for answer in found.of_modes]


def _query() -> tuple[Callable[[Snapshot], np.ndarray], str]:
    """Return what gives the picture that a request asks with, and its id where it is one of the data set's."""
    upload = request.files.get("image")
    item = _asked("item") or ("" if upload else _asked("again"))
    if item:
        return lambda snapshot: _picture(snapshot, item), item
    if upload:
        content = upload.read()
    elif request.mimetype in ("", "application/octet-stream") or request.mimetype.startswith("image/"):
        content = request.get_data()
    elif request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise BadRequest("got no picture, expected a JPEG or PNG in the field \"image\"; choose one")
    else:
        raise UnsupportedMediaType(f"got {request.mimetype[:40]}, expected a JPEG or PNG, or a form that holds one")
    return lambda _: decode_upload(content), ""


def _picture(snapshot: Snapshot, item: str) -> np.ndarray:
    try:
        return snapshot.pictures[item]
    except KeyError:
        raise NotFound("got an id of which no picture is known; take one of the hits'") from None
    except ValueError:
        raise NotFound("the picture of this id can't be read any more; take another") from None


def _thumbnail(snapshot: Snapshot, version: str, item: str) -> bytes:
    if version != snapshot.version:
        raise NotFound("this picture belongs to a library that isn't served any more; search again")
    return thumbnail_png(_picture(snapshot, item))


# ---------------------------------------------------------------- an answer

def _outgoing(snapshot: Snapshot, answer: Answer, item: str, decode_ms: float) -> dict[str, Any]:
    library = snapshot.library
    hits = [{"rank": rank, **asdict(hit), "id": as_text(hit.id), "picture": snapshot.picture_path(hit.id)}
            for rank, hit in enumerate(answer.hits, start=1)]
    return {
        "library": snapshot.version,
        "mode": answer.mode,
        "item": item or None,
        "label": answer.label,
        "probabilities": answer.probabilities,
        "code": answer.code,
        "n_bits": library.n_bits,
        "n_compared": library.counts[str(answer.label)] if answer.mode == MODES[0] else library.n_items,
        "hits": hits,
        "time_ms": {"decode": decode_ms, **answer.time_ms, "total": decode_ms + sum(answer.time_ms.values())},
    }


def _library(snapshot: Snapshot) -> dict[str, Any]:
    library, settings = snapshot.library, snapshot.library.settings
    return {
        "version": snapshot.version,
        "items": library.n_items,
        "classes": library.counts,
        "n_bits": library.n_bits,
        "modes": list(MODES),
        "max_k": min(MAX_HITS, library.n_items),
        **{name: settings[name] for name in ("dataset", "dataset_sha256", "extractor", "decider", "hash", "split_by")},
    }
