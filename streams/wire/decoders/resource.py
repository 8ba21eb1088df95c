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


def identify(attributes: Attributes, default_domain: str) -> Resource:
    """Find the entity; never fails, for the rest of a batch is worth keeping.

    Without `service.name`, the Kubernetes workload is the service, then the pod's name without its
    suffixes, then the host, so that node and infrastructure metrics have an entity too.

    Examples
    --------
    >>> identify({"service.name": "cart", "service.namespace": "shop", "k8s.pod.name": "cart-1"}, "eu")[:3]
    ('eu', 'shop/cart', 'cart-1')
    """
    name = attributes.get("service.name")
    namespace = attributes.get("service.namespace") or None
    named = bool(name) and not str(name).startswith(UNNAMED)
    if not name or not named:
        name = _fallback(attributes) or name or UNNAMED
    return Resource(
        _first(attributes, DOMAIN_KEYS) or default_domain,
        f"{namespace}/{name}" if namespace else name,
        _first(attributes, INSTANCE_KEYS),
        attributes.get("service.version") or None,
        namespace,
        named,
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


def _escaped(text: str) -> str:
    if "," in text or "=" in text or "\\" in text:
        return text.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
    return text


def _first(attributes: Attributes, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        found = attributes.get(key)
        if found:
            return found
    return None


def _fallback(attributes: Attributes) -> str | None:
    workload = _first(attributes, WORKLOAD_KEYS)
    if workload:
        return workload
    pod = attributes.get("k8s.pod.name")
    if pod:
        return workload_of_pod(pod)
    return _first(attributes, ("k8s.node.name", "host.name", "container.name"))
