"""Recordings, blind runs and scores."""
