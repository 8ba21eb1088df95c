"""A broker that somebody else runs."""

from __future__ import annotations

from streams.broker.port import Broker
from streams.errors import BrokerUnavailable


class ExternalBroker(Broker):
    """The Kafka at an address; starting checks that it answers, stopping leaves it alone."""

    def __init__(self, bootstrap_servers: str, timeout_s: float = 10.0) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._timeout_s = timeout_s

    @property
    def bootstrap_servers(self) -> str:
        """As given."""
        return self._bootstrap_servers

    def start(self) -> None:
        """Ask it for its metadata once."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": self._bootstrap_servers, "log_level": 0})
        try:
            admin.list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            raise BrokerUnavailable(
                f"no Kafka broker answers at {self._bootstrap_servers}: {error.args[0].str()}"
            ) from None

    def stop(self) -> None:
        """Nothing to do: it is not ours."""
