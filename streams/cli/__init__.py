"""The `headwater` command."""

from streams.cli.app import main

__all__ = ["main"]
