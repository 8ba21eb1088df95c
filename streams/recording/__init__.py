"""Recordings: real telemetry of a monitored system, in one folder, in one layout."""

from streams.recording.folder import Recording, find_recordings
from streams.recording.samples import Samples, edge_samples, metric_samples
from streams.recording.truth import Ignored, Label, Propagation
from streams.recording.writing import write_recording

__all__ = [
    "Ignored",
    "Label",
    "Propagation",
    "Recording",
    "Samples",
    "edge_samples",
    "find_recordings",
    "metric_samples",
    "write_recording",
]
