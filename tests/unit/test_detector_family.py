import pytest

from detectors import Family, Kind, Series
from detectors.classify import classify
from detectors.family import Volume


@pytest.mark.parametrize(
    ("metric", "unit", "kind", "family"),
    [
        # OpenTelemetry semantic conventions
        ("http.server.request.duration", "s", Kind.GAUGE, Family.LATENCY),
        ("http.client.request.duration", "s", Kind.GAUGE, Family.CLIENT_LATENCY),
        ("db.client.operation.duration", "s", Kind.GAUGE, Family.CLIENT_LATENCY),
        ("db.client.connection.wait_time", "s", Kind.GAUGE, Family.SATURATION),
        ("db.client.connection.pending_requests", "{request}", Kind.GAUGE, Family.SATURATION),
        ("process.cpu.utilization", "1", Kind.GAUGE, Family.CPU),
        ("k8s.container.cpu_limit_utilization", "1", Kind.GAUGE, Family.CPU),
        ("process.memory.usage", "By", Kind.GAUGE, Family.MEMORY),
        ("jvm.gc.duration", "s", Kind.GAUGE, Family.MEMORY),
        ("k8s.container.restarts", "{restart}", Kind.COUNTER, Family.ERROR),
        ("system.cpu.utilization", "1", Kind.GAUGE, Family.NODE),
        ("messaging.client.consumed.messages", "{message}", Kind.COUNTER, Family.LOAD),
        # Prometheus, cAdvisor, Istio
        ("container_cpu_usage_seconds_total", None, Kind.COUNTER, Family.CPU),
        ("container_cpu_cfs_throttled_periods_total", None, Kind.COUNTER, Family.SATURATION),
        ("container_memory_working_set_bytes", "By", Kind.GAUGE, Family.MEMORY),
        ("container_network_receive_bytes_total", None, Kind.COUNTER, Family.IO),
        ("container_network_receive_packets_dropped_total", None, Kind.COUNTER, Family.ERROR),
        ("container_fs_writes_bytes_total", None, Kind.COUNTER, Family.IO),
        ("node_load1", None, Kind.GAUGE, Family.NODE),
        ("istio_requests_total", None, Kind.COUNTER, Family.LOAD),
        ("istio_request_duration_milliseconds", "ms", Kind.GAUGE, Family.LATENCY),
        ("kafka_consumergroup_lag", None, Kind.GAUGE, Family.SATURATION),
        ("redis_evicted_keys_total", None, Kind.COUNTER, Family.SATURATION),
        ("http_requests_in_flight", "{request}", Kind.GAUGE, Family.SATURATION),
        ("redis.keyspace.hit_ratio", "1", Kind.GAUGE, Family.SATURATION),
        ("redis_keyspace_hits_total", None, Kind.COUNTER, Family.LOAD),
        # Short names of benchmarks
        ("cpu", None, Kind.GAUGE, Family.CPU),
        ("mem", None, Kind.GAUGE, Family.MEMORY),
        ("latency-50", None, Kind.GAUGE, Family.LATENCY),
        ("error", None, Kind.GAUGE, Family.ERROR),
        ("workload", None, Kind.GAUGE, Family.LOAD),
        ("socket", None, Kind.GAUGE, Family.SATURATION),
        ("diskio", None, Kind.GAUGE, Family.IO),
        ("availability_pct", "%", Kind.GAUGE, Family.ERROR),
        ("latency_client_p90_s", "s", Kind.GAUGE, Family.CLIENT_LATENCY),
        ("node_cpu_usage_pct", "%", Kind.GAUGE, Family.NODE),
        ("workload_ops", "1/s", Kind.GAUGE, Family.LOAD),
        ("syscall_read", None, Kind.GAUGE, Family.IO),
        ("frobnication_index", None, Kind.GAUGE, Family.OTHER),
        ("", None, Kind.GAUGE, Family.OTHER),
        ("load", None, Kind.GAUGE, Family.LOAD),
        ("load_average", None, Kind.GAUGE, Family.OTHER),
        ("mrt", None, Kind.GAUGE, Family.LATENCY),
        ("sr", None, Kind.GAUGE, Family.ERROR),
        ("PodSuccessRate(%)", None, Kind.GAUGE, Family.ERROR),
        ("up", None, Kind.GAUGE, Family.ERROR),
        # CloudWatch
        ("CPUUtilization", "Percent", Kind.GAUGE, Family.CPU),
        ("HTTPCode_Target_5XX_Count", "Count", Kind.DELTA, Family.ERROR),
        ("4XXError", None, Kind.DELTA, Family.ERROR),
        ("SystemErrors", None, Kind.DELTA, Family.ERROR),
        ("Throttles", "Count", Kind.DELTA, Family.SATURATION),
        ("ConcurrentExecutions", "Count", Kind.GAUGE, Family.SATURATION),
        ("ApproximateAgeOfOldestMessage", "Seconds", Kind.GAUGE, Family.SATURATION),
        ("HealthyHostCount", "Count", Kind.GAUGE, Family.OTHER),
        # Envoy, Micrometer, Node.js, Go, gRPC
        ("envoy_cluster_upstream_rq_time", None, Kind.GAUGE, Family.CLIENT_LATENCY),
        ("envoy_http_downstream_rq_time_p99", None, Kind.GAUGE, Family.LATENCY),
        ("envoy_http_downstream_rq_total", None, Kind.COUNTER, Family.LOAD),
        ("http_server_requests_seconds_max", None, Kind.GAUGE, Family.LATENCY),
        ("http_server_requests_seconds_count", None, Kind.COUNTER, Family.LOAD),
        ("hikaricp_connections_acquire_seconds_max", None, Kind.GAUGE, Family.SATURATION),
        ("nodejs_eventloop_lag_seconds", None, Kind.GAUGE, Family.SATURATION),
        ("go_memstats_alloc_bytes", None, Kind.GAUGE, Family.MEMORY),
        ("grpc_server_handled_total", None, Kind.COUNTER, Family.LOAD),
        ("process_uptime_seconds", None, Kind.GAUGE, Family.OTHER),
        # What fails in name only
        ("container_memory_failures_total", None, Kind.COUNTER, Family.IO),
        ("page_faults", None, Kind.DELTA, Family.IO),
        ("kube_deployment_status_replicas_unavailable", None, Kind.GAUGE, Family.OTHER),
        ("http_status_500", None, Kind.DELTA, Family.ERROR),
        ("http_status_200", None, Kind.DELTA, Family.OTHER),
        ("node_network_receive_errors", None, Kind.COUNTER, Family.NODE),
    ],
)
def test_names_of_many_worlds_are_understood(metric, unit, kind, family):
    assert classify(Series("s", metric, unit=unit, kind=kind)).family is family


@pytest.mark.parametrize(
    ("metric", "family"),
    [
        ("calls", Family.LOAD),
        ("errors", Family.ERROR),
        ("client_p95_s", Family.CLIENT_LATENCY),
        ("server_p50_s", Family.LATENCY),
        ("gap_p95_s", Family.GAP),
    ],
)
def test_edge_metrics_are_understood(metric, family):
    assert classify(Series("a", metric, peer="b")).family is family


@pytest.mark.parametrize(
    "labels", ["code=503", "http.response.status_code=500", "status=error", "error.type=oom"]
)
def test_requests_that_failed_are_errors(labels):
    series = Series("s", "http_requests_total", kind=Kind.COUNTER, labels=labels)
    assert classify(series).family is Family.ERROR
    assert classify(series._replace(labels="code=200")).family is Family.LOAD


def test_success_is_an_inverted_error_with_binomial_spread():
    meaning = classify(Series("s", "request_success_rate", unit="1"))
    assert (meaning.inverted, meaning.top, meaning.volume) == (True, 1.0, Volume.PERCENT)


def test_fewer_hits_of_a_cache_are_worse():
    meaning = classify(Series("cache", "hit_ratio", unit="%"))
    assert (meaning.inverted, meaning.top) == (True, 100.0)
