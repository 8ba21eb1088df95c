"""Kubernetes events in OTLP logs: scalings and jobs are changes, the rest are log lines.

Written by the collector's `k8s_events` receiver. An event speaks of an object; the entity is the object's
workload (a pod's Deployment, a Job's CronJob), named as the workload is, since Kubernetes does not know
`service.name`.
"""

from __future__ import annotations

import re
from typing import Any

from correlator.evidence import Change, ChangeKind
from streams.wire.decoders.reading import mapping, optional_text, required_text, text, time_ms
from streams.wire.decoders.resource import Attributes, Resource, workload_of_pod
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

_SCALING = {"ScalingReplicaSet", "SuccessfulRescale"}
_JOB_STARTS = {"SuccessfulCreate"}
_JOB_OWNERS = ("CronJob", "Job")
_JOB_RUN = re.compile(r"^(?P<cronjob>.+)-\d{8,12}$")
_KINDS = ("pod", "deployment", "replicaset", "statefulset", "daemonset", "cronjob", "job", "node", "hpa")


def is_event(attributes: Attributes) -> bool:
    """Whether a log record is a Kubernetes event."""
    return "k8s.event.reason" in attributes or "k8s.event.uid" in attributes


def take(
    attributes: Attributes,
    resource_attributes: Attributes,
    message: str,
    severity: str | None,
    ts_ms: int,
    resource: Resource,
    into: TelemetryBuilder,
) -> int:
    """Take one event as a change or a log line; returns 1."""
    everything = {**resource_attributes, **attributes}
    kind, name = _object(everything)
    service = resource.service if resource.named else workload(kind, name) or resource.service
    reason = attributes.get("k8s.event.reason", "")
    if reason in _SCALING or (reason in _JOB_STARTS and kind in _JOB_OWNERS):
        return into.item(
            Change(
                id="k8s-" + (attributes.get("k8s.event.uid") or f"{service}-{ts_ms}"),
                domain=resource.domain,
                ts_ms=ts_ms,
                kind=ChangeKind.SCALE if reason in _SCALING else ChangeKind.JOB,
                service=service,
                summary=f"{reason}: {message}",
                attributes={"kind": kind, "name": name, "reason": reason},
            )
        )
    instance = name if kind == "Pod" else None
    return into.log(resource.domain, ts_ms, service, instance, severity, f"{reason}: {message}")


def workload(kind: str, name: str) -> str:
    """The workload that an object belongs to, from its name.

    Examples
    --------
    >>> workload("Pod", "cart-579f59597d-wc2lz"), workload("ReplicaSet", "cart-579f59597d")
    ('cart', 'cart')
    >>> workload("Job", "nightly-report-28391040")
    'nightly-report'
    """
    if kind == "Pod":
        found = workload_of_pod(name)
        run = _JOB_RUN.match(found)
        return run["cronjob"] if run else found
    if kind == "ReplicaSet":
        return name.rsplit("-", 1)[0]
    if kind == "Job":
        run = _JOB_RUN.match(name)
        return run["cronjob"] if run else name
    return name


def _object(attributes: Attributes) -> tuple[str, str]:
    """Kind and name of the object, as the receiver spells them in either of its conventions."""
    if attributes.get("k8s.object.name"):
        return attributes.get("k8s.object.kind", ""), attributes["k8s.object.name"]
    for kind in _KINDS:
        if attributes.get(f"k8s.{kind}.name") and (kind != "node" or "k8s.pod.name" not in attributes):
            proper = {"replicaset": "ReplicaSet", "cronjob": "CronJob"}.get(kind, kind.capitalize())
            return proper, attributes[f"k8s.{kind}.name"]
    return "", attributes.get("k8s.event.name", "").rsplit(".", 1)[0]


def is_exported_shape(document: Any) -> bool:
    """Whether a JSON document is an event as kubernetes-event-exporter writes it."""
    return isinstance(document, dict) and "involvedObject" in document and "reason" in document


def take_exported(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Take one event of kubernetes-event-exporter: a `corev1.Event` with the object's labels."""
    event = mapping(document, "")
    involved = mapping(event.get("involvedObject"), "involvedObject")
    metadata = mapping(event.get("metadata"), "metadata")
    labels = mapping(involved.get("labels"), "involvedObject.labels")
    stamp = event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")
    ts_ms = record.timestamp_ms if stamp is None else time_ms(stamp, "lastTimestamp")
    kind = optional_text(involved.get("kind"), "involvedObject.kind") or ""
    name = required_text(involved.get("name"), "involvedObject.name")
    domain = optional_text(event.get("clusterName"), "clusterName") or into.default_domain
    labelled = labels.get("app.kubernetes.io/name") or labels.get("app")
    service = labelled if isinstance(labelled, str) and labelled else workload(kind, name)
    resource = Resource(domain, service, None, None, None, True)
    attributes = {
        "k8s.event.reason": text(event.get("reason", ""), "reason"),
        "k8s.event.uid": optional_text(metadata.get("uid"), "metadata.uid") or "",
        "k8s.object.kind": kind,
        "k8s.object.name": name,
    }
    severity = "WARN" if event.get("type") == "Warning" else "INFO"
    message = text(event.get("message") or "", "message")
    return take(attributes, {}, message, severity, ts_ms, resource, into)
