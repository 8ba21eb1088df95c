"""Kafka clients: made in one place, with the settings that the delivery promises rest on."""

from streams.kafka.clients import admin, consumer, producer
from streams.kafka.dead_letters import DeadLetters
from streams.kafka.cluster import reach

__all__ = ["DeadLetters", "admin", "consumer", "producer", "reach"]
