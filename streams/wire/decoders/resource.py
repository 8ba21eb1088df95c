"""Who sent it: from OpenTelemetry resource attributes to domain, service, instance and version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

Attributes = Mapping[str, str]

DOMAIN_KEYS = ("deployment.environment.name", "deployment.environment", "k8s.cluster.name")
INSTANCE_KEYS = ("service.instance.id", "k8s.pod.name", "host.name")
WORKLOAD_KEYS = (
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
)
OWNERS = (*WORKLOAD_KEYS, "k8s.replicaset.name")
ELSE_KEYS = ("container.name", "k8s.node.name", "host.name", "k8s.replicaset.name", "k8s.namespace.name")
"""What a resource without service, workload and pod is about, the nearest first."""
DESCRIBING = (
    "service.",
    "telemetry.",
    "host.",
    "os.",
    "cloud.",
    "k8s.cluster.",
    "k8s.node.",
    "k8s.pod.",
    "container.image.",
    "process.command",
    "process.runtime.",
)
"""Prefixes of attributes that follow from service and instance, or that nobody wants in a label."""
UNNAMED = "unknown_service"
"""OpenTelemetry's own word for a resource that does not say; SDKs append the process' name."""

_DEPLOYMENT_POD = re.compile(
    r"^(?P<workload>.+)-[bcdf0-9][bcdfghjklmnpqrstvwxz2456789]{4,9}-[bcdfghjklmnpqrstvwxz2456789]{5}$"
)
_DAEMON_POD = re.compile(r"^(?P<workload>.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$")
_STATEFUL_POD = re.compile(r"^(?P<workload>.+)-\d{1,4}$")


class Resource(NamedTuple):
    """The entity instance that telemetry comes from."""

    domain: str
    service: str
    """`service.namespace/service.name`, or the plain name."""
    instance: str | None
    version: str | None
    namespace: str | None
    named: bool
    """Whether the resource itself says which service it is."""
    labels: tuple[tuple[str, str], ...] = ()
    """What else tells it apart, where it does not say so: its container, volume, table, process, …"""


def identify(attributes: Attributes, default_domain: str) -> Resource:
    """Find the entity; never fails, for the rest of a batch is worth keeping.

    Without `service.name`, the Kubernetes workload is the service, then the pod's name without its suffixes,
    the container, the node or host, so that node and infrastructure metrics have an entity too. Receivers
    send a resource for each container, volume or table, and several of them have one service and instance:
    what they differ in is part of their series then.

    Examples
    --------
    >>> identify({"service.name": "cart", "service.namespace": "shop", "k8s.pod.name": "cart-1"}, "eu")[:3]
    ('eu', 'shop/cart', 'cart-1')
    >>> identify({"k8s.pod.name": "cart-1", "k8s.container.name": "proxy"}, "eu").labels
    (('k8s.container.name', 'proxy'),)
    """
    name = attributes.get("service.name")
    namespace = attributes.get("service.namespace") or None
    named = bool(name) and not str(name).startswith(UNNAMED)
    labels: tuple[tuple[str, str], ...] = ()
    if not name or not named:
        key, found = _fallback(attributes)
        name = found or name or UNNAMED
        labels = _telling_apart(attributes, key)
    return Resource(
        first_of(attributes, DOMAIN_KEYS) or default_domain,
        f"{namespace}/{name}" if namespace else name,
        first_of(attributes, INSTANCE_KEYS),
        attributes.get("service.version") or None,
        namespace,
        named,
        labels,
    )


def workload_of_pod(pod: str) -> str:
    """Strip the suffixes that Deployments, StatefulSets and DaemonSets give their pods.

    Examples
    --------
    >>> workload_of_pod("cart-579f59597d-wc2lz"), workload_of_pod("redis-main-0"), workload_of_pod("cart")
    ('cart', 'redis-main', 'cart')
    """
    for shape in (_DEPLOYMENT_POD, _STATEFUL_POD, _DAEMON_POD):
        found = shape.match(pod)
        if found:
            return found["workload"]
    return pod


def qualify(name: str, namespace: str | None) -> str:
    """Put a plain name into a namespace, if there is one."""
    return f"{namespace}/{name}" if namespace and "/" not in name else name


def canonical_labels(attributes: Attributes) -> str:
    r"""Spell attributes as `k=v,k=v`, sorted by key; the separators are escaped, so no two sets collide.

    Examples
    --------
    >>> canonical_labels({"route": "/a,b", "code": "200"})
    'code=200,route=/a\\,b'
    """
    if not attributes:
        return ""
    return ",".join(f"{_escaped(key)}={_escaped(attributes[key])}" for key in sorted(attributes))


def labels_of(resource: Resource, attributes: Attributes) -> str:
    """Spell what tells a series of a resource from its others."""
    return canonical_labels({**dict(resource.labels), **attributes} if resource.labels else attributes)


def stream_of(resource: Resource, metric: str, attributes: Attributes) -> str:
    """Spell the identity of a cumulative stream: of two writers, each has a sum of its own."""
    return "\x1f".join((*(each or "" for each in resource[:4]), metric, labels_of(resource, attributes)))


def _escaped(text: str) -> str:
    if "," in text or "=" in text or "\\" in text:
        return text.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
    return text


def first_of(attributes: Attributes, keys: tuple[str, ...]) -> str | None:
    """Return the first of some attributes that says anything."""
    for key in keys:
        found = attributes.get(key)
        if found:
            return found
    return None


def _fallback(attributes: Attributes) -> tuple[str, str | None]:
    """Find what a resource without a service is about, and the attribute that says so."""
    for key in (*WORKLOAD_KEYS, "k8s.pod.name", *ELSE_KEYS):
        found = attributes.get(key)
        if found:
            return key, workload_of_pod(found) if key == "k8s.pod.name" else found
    return "", None


def _telling_apart(attributes: Attributes, named_by: str) -> tuple[tuple[str, str], ...]:
    known = {named_by, *DOMAIN_KEYS, *INSTANCE_KEYS, *(OWNERS if "k8s.pod.name" in attributes else ())}
    if "container.name" in attributes or "k8s.container.name" in attributes:
        known |= {"container.id", "container.hostname"}  # new with each start, and the name is not
    return tuple(
        (key, value)
        for key, value in attributes.items()
        if key not in known and not key.startswith(DESCRIBING) and not key.endswith((".uid", ".version"))
    )
