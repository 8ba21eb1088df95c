"""Online anomaly detection: signals → scores → anomalies. Pure: no Kafka, files, clock or network."""

from detectors.anomaly import Anomaly, Family, Signal, anomaly_id
from detectors.catalog import Catalog
from detectors.config import DetectorConfig
from detectors.pipeline import Detector, EdgeSeen, Tick
from detectors.telemetry import Kind, LogBatch, SampleBatch, Series

__all__ = [
    "Anomaly",
    "Catalog",
    "Detector",
    "DetectorConfig",
    "EdgeSeen",
    "Family",
    "Kind",
    "LogBatch",
    "SampleBatch",
    "Series",
    "Signal",
    "Tick",
    "anomaly_id",
]
