"""Declared edges from files: headwater's YAML, Backstage's catalog-info, a recording or Edge lines; and back.

headwater's own form, in which only `caller` and `callee` are required:

    domain: shop
    edges:
      - caller: web
        callee: sessions-redis
        kind: redis
        schedule: except tue 02:00-04:00
        valid_from: 2026-09-01T00:00:00Z
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from correlator.evidence import Edge, EdgeSource
from correlator.schedule import Schedule
from correlator.topology import Fact
from streams.errors import UserError
from streams.topology.backstage import edges_of_catalog, is_catalog

_EDGE = TypeAdapter(Edge)


def read_edges(path: Path, domain: str, at_ms: int) -> list[Edge]:
    """Read the edges of a file, or of a recording's folder; unnamed domains become `domain`.

    Raises
    ------
    UserError
        Unreadable, of no known form, or an edge that is wrong: names the file and the edge.
    """
    if path.is_dir():
        path = path / "topology.json"
    try:
        text = path.read_text()
        documents = [d for d in yaml.safe_load_all(text) if d is not None] if text.strip() else []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except yaml.YAMLError as error:
        if (lines := _json_lines(path, text)) is not None:
            documents = lines
        else:
            first = str(error).splitlines()[0]
            raise UserError(f"{path}: neither YAML nor JSON ({first})") from None
    if documents and all(is_catalog(d) for d in documents):
        return edges_of_catalog(documents, domain, at_ms)
    edges = []
    for document in documents:
        if isinstance(document, dict) and "caller" in document:
            edges.append(_edge(f"{path}", document, {}, domain, at_ms))
        elif isinstance(document, dict) and isinstance(document.get("edges"), list):
            kinds = {n["service"]: n.get("kind") for n in document.get("nodes") or [] if "service" in n}
            for number, each in enumerate(document["edges"], start=1):
                where = f"{path}, edge {number}"
                edges.append(_edge(where, each, kinds, document.get("domain") or domain, at_ms))
        else:
            raise UserError(f"{path}: expected `edges:` with `caller` and `callee`, or Backstage entities")
    return edges


def _json_lines(path: Path, text: str) -> list[Any] | None:
    import json

    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return None


def _edge(where: str, found: Any, kinds: dict[str, str | None], domain: str, at_ms: int) -> Edge:
    if not isinstance(found, dict):
        raise UserError(f"{where}: expected an object with `caller` and `callee`")
    known = {
        "type": "edge",
        "domain": found.get("domain") or domain,
        "caller": found.get("caller"),
        "callee": found.get("callee"),
        "source": found.get("source") or EdgeSource.DECLARED.value,
        "callee_kind": found.get("kind") or found.get("callee_kind") or kinds.get(str(found.get("callee"))),
        "confidence": found.get("confidence", 1.0),
        "first_seen_ms": found.get("first_seen_ms", at_ms),
        "last_seen_ms": found.get("last_seen_ms", at_ms),
        "valid_from_ms": _instant(where, found, "valid_from"),
        "valid_to_ms": _instant(where, found, "valid_to"),
        "schedule": found.get("schedule"),
    }
    try:
        edge = _EDGE.validate_python(known)
        if edge.schedule is not None:
            Schedule.parse(edge.schedule)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    return edge


def _instant(where: str, found: dict[str, Any], name: str) -> int | None:
    value = found.get(name, found.get(f"{name}_ms"))
    if value is None or isinstance(value, int):
        return value
    return instant(str(value), f"{where}: {name}")


def instant(text: str, where: str) -> int:
    """Read an ISO 8601 time (UTC when it names no zone) or Unix milliseconds.

    Examples
    --------
    >>> instant("2026-09-15T03:42", "--at")
    1789443720000

    Raises
    ------
    UserError
        Neither of the two.
    """
    if text.isdigit():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{where}: {text!r} is neither ISO 8601 nor Unix milliseconds") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def ended(facts: Iterable[Fact], kept: Iterable[Edge], domain: str, at_ms: int) -> list[Edge]:
    """Statements that end, as of `at_ms`, what is declared by `facts` and that a document no longer names."""
    named = {(edge.caller, edge.callee) for edge in kept if edge.domain == domain}
    return [
        Edge(
            domain=domain,
            caller=fact.caller,
            callee=fact.callee,
            source=fact.source,
            callee_kind=fact.callee_kind,
            confidence=fact.confidence,
            first_seen_ms=fact.first_seen_ms,
            last_seen_ms=at_ms,
            valid_from_ms=fact.valid_from_ms,
            valid_to_ms=at_ms,
            schedule=fact.schedule,
        )
        for fact in facts
        if (fact.caller, fact.callee) not in named and (fact.valid_to_ms is None or fact.valid_to_ms > at_ms)
    ]


def to_yaml(facts: Iterable[Fact], domain: str) -> str:
    """Write facts in headwater's own form; reading it again gives the same edges."""
    edges = []
    for fact in facts:
        edge: dict[str, Any] = {"caller": fact.caller, "callee": fact.callee}
        if fact.source is not EdgeSource.DECLARED:
            edge |= {
                "source": fact.source.value,
                "first_seen_ms": fact.first_seen_ms,
                "last_seen_ms": fact.last_seen_ms,
            }
        optional = {
            "kind": fact.callee_kind,
            "schedule": fact.schedule,
            "valid_from_ms": fact.valid_from_ms,
            "valid_to_ms": fact.valid_to_ms,
        }
        edges.append(edge | {name: value for name, value in optional.items() if value is not None})
    return yaml.safe_dump({"domain": domain, "edges": edges}, sort_keys=False, allow_unicode=True)
