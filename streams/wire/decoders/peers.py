"""Whom a client talks to, from what instrumentations say about the other side."""

from __future__ import annotations

import re
from typing import NamedTuple

from streams.wire.decoders.resource import Attributes, Resource, first_of, qualify

SYSTEM_KEYS = ("db.system.name", "db.system", "messaging.system")
NAME_KEYS = ("service.peer.name", "peer.service")
QUEUE_KEYS = ("messaging.destination.name", "messaging.destination")
ADDRESS_KEYS = (
    "server.address",
    "net.peer.name",
    "network.peer.address",
    "net.sock.peer.addr",
)
DATABASE_KEYS = ("db.namespace", "db.name")
_LOOPBACK = {"localhost", "127.0.0.1", "::1", "0.0.0.0", ""}  # noqa: S104
_IP = re.compile(r"^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]+)$")


class Peer(NamedTuple):
    """The callee: its entity and what kind of thing it is, where known (`redis`, `kafka`, `external`, …)."""

    service: str
    kind: str | None


def peer_of(attributes: Attributes, caller: Resource) -> Peer | None:
    """Name the other side of a client's span or metric point; None where nothing does.

    The order: logical names first, then the queue, then addresses (new convention before old), then the
    database's name, then its bare system. So a Redis that no diagram shows is found with default
    instrumentation, whose spans carry `db.system.name` and `server.address` but never `db.name`.

    A plain name is taken to live in the caller's namespace, since nothing on the wire says otherwise.
    """
    kind = first_of(attributes, SYSTEM_KEYS)
    for key in NAME_KEYS:
        if attributes.get(key):
            namespace = attributes.get("service.peer.namespace") or caller.namespace
            return Peer(qualify(attributes[key], namespace), kind)
    queue = first_of(attributes, QUEUE_KEYS)
    if queue:
        system = attributes.get("messaging.system") or "queue"
        return Peer(f"{system}:{queue}", system)
    for key in ADDRESS_KEYS:
        address = (attributes.get(key) or "").strip().lower().rstrip(".")
        if address not in _LOOPBACK:
            name, external = _entity_of(address, caller.namespace)
            return Peer(name, kind or ("external" if external else None))
    database = first_of(attributes, DATABASE_KEYS)
    if database and database.isdecimal():
        database = None  # Redis numbers its databases: 0 is no name of a store
    name_or_kind = database or kind
    return Peer(qualify(name_or_kind, caller.namespace), kind) if name_or_kind else None


def is_address(name: str) -> bool:
    """Whether a name is a bare IP address."""
    return _IP.match(name) is not None


def _entity_of(address: str, namespace: str | None) -> tuple[str, bool]:
    """Turn an address into an entity; tells whether it is outside the cluster."""
    if is_address(address):
        return address, False  # a pod as likely as a stranger
    labels = address.split(".")
    in_cluster = len(labels) > 2 and labels[2] == "svc"
    if in_cluster:
        return qualify(labels[0], labels[1] if namespace else None), False
    if len(labels) == 1 or labels[-1] in ("local", "internal", "localdomain"):
        return qualify(labels[0], namespace), False
    return address, True
