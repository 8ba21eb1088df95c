"""Kafka clients: made in one place, with the settings that the delivery promises rest on."""

from streams.kafka.clients import admin, consumer, headers_of, producer
from streams.kafka.cluster import reach
from streams.kafka.dead_letters import DeadLetters
from streams.kafka.deliveries import Deliveries

__all__ = ["DeadLetters", "Deliveries", "admin", "consumer", "headers_of", "producer", "reach"]
