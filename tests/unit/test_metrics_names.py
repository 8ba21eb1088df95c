"""The names that dashboards and alerts of users rest on."""

from prometheus_client import REGISTRY

from streams import metrics

NAMES = {
    "headwater_records_consumed": ("topic", "decoder"),
    "headwater_records_rejected": ("topic", "reason"),
    "headwater_points_processed": ("signal",),
    "headwater_record_age_seconds": ("signal",),
    "headwater_processing_seconds": ("stage",),
    "headwater_consumer_lag_records": ("topic", "partition"),
    "headwater_active_series": (),
    "headwater_series_evicted": (),
    "headwater_anomalies": ("signal", "detector"),
    "headwater_incidents_open": (),
    "headwater_incidents": ("status",),
    "headwater_detection_latency_seconds": (),
    "headwater_llm_requests": ("outcome",),
    "headwater_llm_request_seconds": (),
    "headwater_llm_tokens": ("direction",),
    "headwater_state_store_bytes": ("stage",),
    "headwater_snapshot_age_seconds": (),
    "headwater_build": ("version",),
}
"""Without the endings `_total` and `_info`, which the exposition adds."""


def test_metrics_keep_their_names_and_labels():
    own = {
        each._name: each._labelnames
        for each in vars(metrics).values()
        if hasattr(each, "_labelnames") and each._name.startswith("headwater_")
    }
    assert {name: own[name] for name in NAMES if name in own} | {"headwater_build": ("version",)} == NAMES
    (build,) = (each for each in REGISTRY.collect() if each.name == "headwater_build")
    assert list(build.samples[0].labels) == ["version"]
    assert not [name for name, labels in own.items() if {"service", "entity", "instance"} & set(labels)]
