"""Brokers behind one small port: embedded, Apache Kafka from Maven Central, external."""

from streams.broker.embedded import EmbeddedBroker
from streams.broker.external import ExternalBroker
from streams.broker.port import Broker

__all__ = ["Broker", "EmbeddedBroker", "ExternalBroker"]
