"""The main job in a minute: simulate a shop, break it, watch the alert come out of Kafka."""

from streams.demo.show import DemoResult, play

__all__ = ["DemoResult", "play"]
