"""Backstage's `catalog-info.yaml`: components, resources and APIs as declared edges, and edges as entities.

`spec.dependsOn` and `spec.dependencyOf` are edges; `consumesApis` is one to whoever `providesApis` the API.
Entity references are `[kind:][namespace/]name` (Backstage, "Descriptor Format of Catalog Entities").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import yaml

from correlator.evidence import Edge, EdgeSource
from correlator.topology import Fact

API_VERSION = "backstage.io/v1alpha1"
NODES = frozenset({"component", "resource"})


def is_catalog(document: Any) -> bool:
    """Whether a document is a Backstage entity."""
    return isinstance(document, dict) and str(document.get("apiVersion", "")).startswith("backstage.io/")


def edges_of_catalog(documents: Iterable[dict[str, Any]], domain: str, at_ms: int) -> list[Edge]:
    """Declared edges of the entities of one or more descriptors, sorted, each once."""
    entities = [d for d in documents if isinstance(d.get("metadata"), dict)]
    kinds: dict[str, str] = {}
    providers: dict[str, list[str]] = defaultdict(list)
    for entity in entities:
        name, spec = _name(entity), entity.get("spec") or {}
        kind = str(entity.get("kind", "")).lower()
        if kind in NODES:
            # A website or a worker is a service to those who call it; a resource is what its type says.
            kinds[name] = "service" if kind == "component" else str(spec.get("type") or kind).lower()
        for api in spec.get("providesApis") or []:
            providers[_reference(str(api), "api")[1]].append(name)
    pairs: set[tuple[str, str]] = set()
    for entity in entities:
        if str(entity.get("kind", "")).lower() not in NODES:
            continue
        name, spec = _name(entity), entity.get("spec") or {}
        for kind, other in (_reference(str(r), "component") for r in spec.get("dependsOn") or []):
            if kind in NODES:
                pairs.add((name, other))
        for kind, other in (_reference(str(r), "component") for r in spec.get("dependencyOf") or []):
            if kind in NODES:
                pairs.add((other, name))
        for api in spec.get("consumesApis") or []:
            pairs |= {(name, provider) for provider in providers[_reference(str(api), "api")[1]]}
    return [
        Edge(
            domain=domain,
            caller=caller,
            callee=callee,
            source=EdgeSource.DECLARED,
            callee_kind=kinds.get(callee),
            first_seen_ms=at_ms,
            last_seen_ms=at_ms,
        )
        for caller, callee in sorted(pairs)
        if caller != callee
    ]


def to_catalog(facts: Iterable[Fact]) -> str:
    """Entities with `dependsOn`, one a service; schedules and validity have no place there and are lost."""
    calls: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, str] = {}
    for fact in facts:
        calls[fact.caller].add(fact.callee)
        calls.setdefault(fact.callee, set())
        if fact.callee_kind and fact.callee_kind != "service":
            kinds[fact.callee] = fact.callee_kind
    entities = []
    for name in sorted(calls):
        kind = "Resource" if name in kinds else "Component"
        spec: dict[str, Any] = {"type": kinds.get(name, "service"), "owner": "unknown"}
        if kind == "Component":
            spec["lifecycle"] = "production"
        if calls[name]:
            spec["dependsOn"] = [
                f"{'resource' if callee in kinds else 'component'}:{callee}" for callee in sorted(calls[name])
            ]
        namespace, _, short = name.rpartition("/")
        metadata = {"name": short} | ({"namespace": namespace} if namespace else {})
        entities.append({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})
    return str(yaml.safe_dump_all(entities, sort_keys=False, allow_unicode=True))


def _name(entity: dict[str, Any]) -> str:
    metadata = entity["metadata"]
    return _service(metadata.get("namespace"), str(metadata.get("name")))


def _reference(text: str, default_kind: str) -> tuple[str, str]:
    kind, colon, rest = text.partition(":")
    if not colon:
        kind, rest = default_kind, text
    namespace, _, name = rest.rpartition("/")
    return kind.lower(), _service(namespace, name)


def _service(namespace: str | None, name: str) -> str:
    """As `service.namespace/service.name`; Backstage's namespace `default` is none."""
    return f"{namespace}/{name}" if namespace and namespace != "default" else name
