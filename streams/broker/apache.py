"""Apache Kafka in KRaft mode without containers, for the tests and CI: needs Java 17 and Maven."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from streams.broker.port import Broker
from streams.broker.process import ServerProcess, free_port
from streams.errors import UserError

KAFKA_VERSION = "4.1.0"
CACHE = Path.home() / ".cache" / "headwater"
START_TIMEOUT_S = 60.0
"""Ready in 4 s on an idle machine; three of them on two busy cores were measured at 15 s."""
STOP_GRACE_S = 0.2
"""It needs five seconds and more to close its logs in order, and they are removed right after."""

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headwater</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
default.replication.factor={copies}
min.insync.replicas={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=5000
log.initial.task.delay.ms=1000
"""
"""What is stamped older than its topic keeps is deleted within seconds, not after five minutes: a writer of
such stamps shall not get away with it in a short test."""


class ApacheKafka(Broker):
    """One or three nodes of Apache Kafka on free ports, with their data in a temporary directory."""

    def __init__(self, nodes: int = 1) -> None:
        self.nodes = nodes
        self._servers: list[ServerProcess] = []
        self._ports: list[int] = []
        self._java: list[str] = []
        self._directory: Path | None = None

    @property
    def bootstrap_servers(self) -> str:
        """All nodes."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports)

    def start(self) -> None:
        """Fetch it (once, into a cache), format its logs, start the nodes and wait for each.

        Raises
        ------
        UserError
            Java or Maven is missing, or Maven Central cannot be reached and the cache is empty.
        BrokerUnavailable
            A node does not come up.
        """
        libs = fetch()
        self._directory = Path(tempfile.mkdtemp(prefix="headwater-kafka-"))
        self._ports = [free_port() for _ in range(self.nodes)]
        controllers = [free_port() for _ in range(self.nodes)]
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers, start=1))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._java = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*"]
        for number, port in enumerate(self._ports, start=1):
            self._properties(number).write_text(
                PROPERTIES.format(
                    node=number,
                    voters=voters,
                    port=port,
                    controller=controllers[number - 1],
                    directory=self._directory / f"node-{number}",
                    copies=self.nodes,
                    in_sync=max(1, self.nodes - 1),
                )
            )
            # With `=`: an id may begin with a dash, and would be read as an option.
            storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
            done = subprocess.run(
                [*self._java, *storage, "--config", str(self._properties(number))],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                from streams.errors import BrokerUnavailable

                raise BrokerUnavailable(f"Apache Kafka could not format its logs: {done.stderr.strip()}")
        self.resume()

    def resume(self) -> None:
        """Start the nodes on their data, first or again."""
        for number, port in enumerate(self._ports, start=1):
            properties = self._properties(number)
            self._servers.append(
                ServerProcess(
                    [*self._java, "kafka.Kafka", str(properties)],
                    port,
                    properties.with_suffix(".log"),
                    stop_grace_s=STOP_GRACE_S,
                )
            )
        for server in self._servers:
            server.wait_until_listening(START_TIMEOUT_S)
        self._wait_until_serving()

    def kill(self) -> None:
        """End all nodes as a power cut would, keeping their data for `resume`."""
        for server in self._servers:
            server.kill()
        self._servers = []

    def _properties(self, number: int) -> Path:
        if self._directory is None:
            raise UserError("Kafka is not started")
        return self._directory / f"node-{number}.properties"

    def _wait_until_serving(self) -> None:
        """A node listens before the cluster has a leader; ask for metadata until all nodes are in it."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        from streams.errors import BrokerUnavailable

        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        for _ in range(int(START_TIMEOUT_S)):
            try:
                if len(admin.list_topics(timeout=1.0).brokers) == self.nodes:
                    return
            except KafkaException:
                continue
        raise BrokerUnavailable(f"the {self.nodes} Kafka nodes did not find each other")

    def stop(self) -> None:
        """End all nodes and remove their data."""
        for server in self._servers:
            server.stop()
        self._servers = []
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def fetch() -> Path:
    """Return the directory of Kafka's jars, fetching them from Maven Central when the cache is empty."""
    libs = CACHE / f"kafka-{KAFKA_VERSION}"
    if libs.is_dir():
        return libs
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise UserError(f"Apache Kafka for tests needs `{tool}` on the PATH (Java 17 and Maven 3)")
    CACHE.mkdir(parents=True, exist_ok=True)
    # Into a scratch directory first: a cache that an interrupted download left half full would stay broken.
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        (Path(scratch) / "pom.xml").write_text(POM.format(version=KAFKA_VERSION))
        run = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            last = (run.stdout + run.stderr).strip().splitlines()[-1:]
            raise UserError(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}: {' '.join(last)}")
        (Path(scratch) / "libs").rename(libs)
    return libs
