"""ROUTE: raw records → the same records keyed by service, for producers that key otherwise or not at all."""

from streams.stages.route.stage import RouteStage, Step

__all__ = ["RouteStage", "Step"]
