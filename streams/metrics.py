"""What headwater says about itself, under the names that its dashboards rest on.

Prefix `headwater_`, base units, `_total` for counters, and never an entity's name as a label: the number of
time series does not grow with the system that is watched.
"""

from __future__ import annotations

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram, Info

from streams import __version__

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # doubles the series for nothing

AGE_BUCKETS_S = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 900, 3600)

RECORDS_CONSUMED = Counter(
    "headwater_records_consumed", "Records read, and what reads the topic's by default", ["topic", "decoder"]
)
RECORDS_REJECTED = Counter("headwater_records_rejected", "Records dead-lettered", ["topic", "reason"])
RECORDS_REPEATED = Counter(
    "headwater_records_repeated", "Re-keyed records that had been read before and were passed over", ["topic"]
)
POINTS_PROCESSED = Counter("headwater_points_processed", "Samples, lines and items taken in", ["signal"])
POINTS_LATE = Counter("headwater_points_late", "Samples and lines behind the watermark", ["signal"])
POINTS_CLAMPED = Counter("headwater_points_clamped", "Event times ahead of our clock", ["signal"])
RECORD_AGE = Histogram(
    "headwater_record_age_seconds", "Event time to processed", ["signal"], buckets=AGE_BUCKETS_S
)
PROCESSING = Histogram("headwater_processing_seconds", "Time spent on one batch or record", ["stage"])
CONSUMER_LAG = Gauge("headwater_consumer_lag_records", "Records not read yet", ["topic", "partition"])
ACTIVE_SERIES = Gauge("headwater_active_series", "Series known to the detectors")
SERIES_EVICTED = Counter("headwater_series_evicted", "Series forgotten, or left out, for lack of room")
ANOMALIES = Counter("headwater_anomalies", "Anomaly updates published", ["signal", "detector"])
SNAPSHOT_AGE = Gauge("headwater_snapshot_age_seconds", "Since the oldest unit's snapshot")
SNAPSHOT_SECONDS = Histogram(
    "headwater_snapshot_seconds",
    "From the beginning of a snapshot to its end, delivery and the turns in between included",
)
STATE_STORE_BYTES = Gauge("headwater_state_store_bytes", "Size of the newest snapshots and tables", ["stage"])
INCIDENTS_OPEN = Gauge("headwater_incidents_open", "Incidents open now")
INCIDENTS = Counter("headwater_incidents", "Incident revisions published", ["status"])
DETECTION_LATENCY = Histogram(
    "headwater_detection_latency_seconds", "Onset to first revision, in event time", buckets=AGE_BUCKETS_S
)
LLM_REQUESTS = Counter("headwater_llm_requests", "Questions to a model", ["outcome"])
LLM_SECONDS = Histogram("headwater_llm_request_seconds", "Time to a model's answer")
LLM_TOKENS = Counter("headwater_llm_tokens", "Tokens spent", ["direction"])
Info("headwater_build", "Version of this process").info({"version": __version__})
