"""A stage's health and metrics over HTTP: /healthz, /readyz, /metrics, /version."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams import __version__
from streams.errors import UserError
from streams.settings import ServeSettings

log = structlog.get_logger("headwater.service")

STUCK_AFTER_S = 120.0
"""A loop that has not turned for so long is dead. Restoring a large snapshot takes tens of seconds, and a
supervisor that kills us in the middle of one would start it over."""


class Health:
    """What the probes are told. Liveness is that the loop turns; it does not depend on Kafka."""

    def __init__(self, elapsed_s: Callable[[], float] = time.monotonic) -> None:
        self._elapsed_s = elapsed_s
        self._turned_at_s = elapsed_s()
        self._waiting_for = "starting"
        self.ready_event = threading.Event()

    def beat(self) -> None:
        """Note that the loop turned."""
        self._turned_at_s = self._elapsed_s()

    def ready(self) -> None:
        """Note that records are being processed."""
        if self._waiting_for:
            log.info("ready")
        self._waiting_for = ""
        self.ready_event.set()

    def not_ready(self, waiting_for: str) -> None:
        """Note what is missing."""
        self._waiting_for = waiting_for
        self.ready_event.clear()

    @property
    def waiting_for(self) -> str:
        """What readiness waits for; empty when ready."""
        return self._waiting_for

    def is_alive(self) -> bool:
        """Whether the loop turned lately."""
        return self._elapsed_s() - self._turned_at_s < STUCK_AFTER_S


class Server(ThreadingHTTPServer):
    """Answers probes; one that hangs up before the answer is no news, and no traceback."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what went wrong in one line, unless who asked has left."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            log.error("a probe was not answered", reason=repr(error))


class Endpoint:
    """The HTTP server, in a thread of its own."""

    def __init__(
        self,
        settings: ServeSettings,
        alive: Callable[[], bool],
        waiting_for: Callable[[], str],
        metrics: Callable[[], bytes] = generate_latest,
    ) -> None:
        def answer(path: str) -> tuple[int, str, bytes]:
            match path.partition("?")[0]:
                case "/healthz":
                    healthy = alive()
                    return (
                        200 if healthy else 503,
                        "application/json",
                        _json(status="ok" if healthy else "stuck"),
                    )
                case "/readyz":
                    missing = waiting_for()
                    if missing:
                        return 503, "application/json", _json(status="not ready", waiting_for=missing)
                    return 200, "application/json", _json(status="ready")
                case "/metrics":
                    return 200, CONTENT_TYPE_LATEST, metrics()
                case "/version":
                    return 200, "application/json", _json(name="headwater", version=__version__)
                case _:
                    return 404, "application/json", _json(error="try /healthz, /readyz, /metrics or /version")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Stay silent: probes come every few seconds."""

        try:
            self._server = Server((settings.host, settings.port), Handler)
        except OSError as error:
            raise UserError(
                f"cannot serve health and metrics on {settings.host}:{settings.port}: {error.strerror}; "
                "choose another with HEADWATER_SERVE__HOST or HEADWATER_SERVE__PORT (0 picks a free one)"
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _json(**fields: str) -> bytes:
    return json.dumps(fields).encode() + b"\n"
