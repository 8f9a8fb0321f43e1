"""Fig 5: serve the page on this computer."""

from __future__ import annotations

import json
from http import HTTPStatus

from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from fashion16_lib.settings import Fashion16Error
from fashion16_lib.web.app import HEADERS, create_app
from fashion16_lib.web.served import Served
from fashion16_lib.web.upload import MAX_BYTES, too_large

HOST = "127.0.0.1"
READ_BYTES = 4 * MAX_BYTES      # of a body that is too large, so that its sender hears why before the line is cut
N_THREADS, N_CONNECTIONS, SILENCE_S = 8, 100, 30


class _Problem(ErrorTask):
    """Tell what waitress itself refuses as the application does."""

    def execute(self) -> None:
        """Send the refusal."""
        status = self.request.error.code
        detail = too_large().description if status == 413 else f"{self.request.error.body}; send a plain HTTP request"
        about = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
        body = json.dumps(about).encode()
        self.status = f"{status} {HTTPStatus(status).phrase}"
        self.response_headers += [("Content-Type", "application/problem+json"), *HEADERS.items()]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    error_task_class = _Problem


def make_server(served: Served, port: int):
    """Return a waitress server, bound to 127.0.0.1 but not yet answering; port 0 takes a free one.

    Raises
    ------
    Fashion16Error : the port is taken
    """
    try:
        server = create_server(
            create_app(served), host=HOST, port=port, threads=N_THREADS, connection_limit=N_CONNECTIONS,
            max_request_body_size=READ_BYTES, channel_timeout=SILENCE_S, ident="", expose_tracebacks=False,
        )
    except OSError as error:
        raise Fashion16Error(f"port {port} can't be had ({error.strerror}); end what uses it, or give another with "
                             "--port") from error
    server.channel_class = _Channel
    return server


def address_of(server) -> str:
    """Return where a server answers."""
    return f"http://{HOST}:{server.effective_port}/"
