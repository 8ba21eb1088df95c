"""What people, pipelines and schedulers do to the system; most of it harms nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from streams.simulator.graph import Service, System
from streams.simulator.strain import Press

ChangeKind = Literal["deploy", "config", "flag", "scale", "job", "other"]

DEPLOY_SUMMARIES = (
    "{service} {after}: bump {library} to {patch}",
    "{service} {after}: {ticket} fix rounding in summary view",
    "{service} {after}: {ticket} add metrics for the retry path",
    "{service} {after}: {ticket} remove dead code",
    "{service} {after}: {ticket} translations",
    "{service} {after}: {ticket} new handler behind a flag",
)
CONFIG_SUMMARIES = (
    ("log level of {service} from warn to info", {"key": "log.level"}),
    ("{service}: raise client timeout to {number} ms", {"key": "client.timeout_ms"}),
    ("{service}: rotate credentials", {"key": "secret.version"}),
    ("{service}: memory request {number} Mi", {"key": "resources.requests.memory"}),
    ("{service}: feature list reloaded", {"key": "features"}),
)
FLAG_SUMMARIES = ("flag {name}: {percent} % of users", "flag {name}: on for staff", "flag {name}: archived")
FLAG_NAMES = ("new-navigation", "dark-header", "one-click", "price-badges", "gift-wrap", "wide-cards")
LIBRARIES = ("grpc", "jackson", "netty", "otel-sdk", "requests", "zod", "log4j", "lodash")


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change log, and what it does to the plant."""

    id: str
    ts_s: float
    kind: ChangeKind
    service: str
    summary: str
    version_before: str | None = None
    version_after: str | None = None
    end_s: float | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    rollout: bool = False
    """Instances are replaced one after the other by ones of the new version."""
    canary: bool = False
    """Only the first instance is replaced."""
    presses: tuple[Press, ...] = ()
    undoes: str | None = None
    """The deploy that this one takes back."""
    instances: int = 0
    """Of a scale: how many instances are added (or, below zero, removed)."""

    def line(self) -> dict[str, object]:
        """As `changes.jsonl` has it."""
        out: dict[str, object] = {
            "id": self.id,
            "ts_ms": round(self.ts_s * 1000),
            "kind": self.kind,
            "service": self.service,
            "summary": self.summary,
        }
        if self.version_before:
            out["version_before"] = self.version_before
        if self.version_after:
            out["version_after"] = self.version_after
        if self.end_s is not None:
            out["end_ms"] = round(self.end_s * 1000)
        return out | {"attributes": self.attributes}


class ChangeLog:
    """Draws innocent changes at each service's own pace and numbers all of them."""

    def __init__(self, system: System, rng: np.random.Generator) -> None:
        self.system = system
        self.rng = rng
        self.versions = {service.name: service.version for service in system.services}

    def next_id(self, prefix: str = "chg") -> str:
        """A fresh random id: neither its order nor its look says anything about guilt."""
        return f"{prefix}-{int(self.rng.integers(16**7, 16**8)):08x}"

    def bump(self, service: str) -> tuple[str, str]:
        """The version before and after the next deploy of `service`."""
        before = self.versions[service]
        after = _next(before, minor=bool(self.rng.random() < 0.3))
        self.versions[service] = after
        return before, after

    def deploy(self, service: str, ts_s: float, summary: str | None = None) -> Change:
        """A rollout of the next version of `service`."""
        before, after = self.bump(service)
        text = summary or str(self.rng.choice(DEPLOY_SUMMARIES))
        return Change(
            id=self.next_id(),
            ts_s=ts_s,
            kind="deploy",
            service=service,
            summary=text.format(
                service=service,
                after=after,
                ticket=f"SHOP-{self.rng.integers(100, 9999)}",
                library=self.rng.choice(LIBRARIES),
                patch=f"{self.rng.integers(1, 9)}.{self.rng.integers(0, 30)}.{self.rng.integers(0, 9)}",
            ),
            version_before=before,
            version_after=after,
            attributes={"pipeline": "cd", "strategy": "rolling"},
            rollout=True,
        )

    def config(self, service: str, ts_s: float) -> Change:
        """A configuration change that alters nothing that matters."""
        text, attributes = CONFIG_SUMMARIES[int(self.rng.integers(len(CONFIG_SUMMARIES)))]
        number = int(self.rng.integers(2, 40)) * 50
        summary = text.format(service=service, number=number)
        return Change(self.next_id(), ts_s, "config", service, summary, attributes=dict(attributes))

    def flag(self, service: str, ts_s: float) -> Change:
        """A feature flag that moves some users."""
        text = str(self.rng.choice(FLAG_SUMMARIES))
        name = str(self.rng.choice(FLAG_NAMES))
        summary = text.format(name=name, percent=int(self.rng.choice([1, 5, 10, 25, 50, 100])))
        return Change(self.next_id(), ts_s, "flag", service, summary, attributes={"flag": name})

    def scale(self, service: Service, ts_s: float, instances: int) -> Change:
        """A scaling event of the autoscaler: the last instance goes, or comes back."""
        few, many = service.instances - abs(instances), service.instances
        before, after = (few, many) if instances > 0 else (many, few)
        summary = f"{service.name} scaled from {before} to {after}"
        return Change(
            self.next_id(), ts_s, "scale", service.name, summary,
            attributes={"by": "autoscaler"}, instances=instances,
        )  # fmt: skip

    def numbered(self, changes: Iterable[Change]) -> list[Change]:
        """The same changes, with the versions that follow from their order in time.

        They were drawn in another order; a version that falls back would tell which ones surround a fault.
        """
        now = {service.name: service.version for service in self.system.services}
        deployed: dict[str, Change] = {}
        told = []
        for change in sorted(changes, key=lambda change: (change.ts_s, change.id)):
            if change.version_before and change.version_after:
                before, undone = now[change.service], deployed.get(change.undoes or "")
                after = (
                    undone.version_before if undone else _next(before, change.version_after.endswith(".0"))
                )
                summary = change.summary.replace(
                    f"{change.service} {change.version_after}:", f"{change.service} {after}:"
                )
                if undone:
                    summary = f"{change.service} rolled back to {after}"
                change = replace(change, version_before=before, version_after=after, summary=summary)
                deployed[change.id] = change
                now[change.service] = str(after)
            told.append(change)
        return told

    def innocent(self, start_s: float, end_s: float) -> list[Change]:
        """Harmless changes of the whole system between two times, in order.

        Deploys fall into working hours more often than not, as they do.
        """
        planned: list[tuple[float, str, Service]] = []
        days = (end_s - start_s) / 86_400.0
        for service in self.system.services:
            if service.kind == "external":
                continue
            for kind, share in (("deploy", 1.0), ("config", 0.35), ("flag", 0.25)):
                if kind == "flag" and service.kind != "service":
                    continue
                for _ in range(self.rng.poisson(service.deploys_per_day * share * days)):
                    at = start_s + self.rng.random() * (end_s - start_s)
                    if not 7 <= (at % 86_400) / 3600 < 19 and self.rng.random() < 0.7:
                        at += 86_400 * 0.5 if at + 43_200 < end_s else 0.0
                    planned.append((at, kind, service))
        planned.sort(key=lambda plan: (plan[0], plan[1], plan[2].name))
        make = {"deploy": self.deploy, "config": self.config, "flag": self.flag}
        return [make[kind](service.name, at) for at, kind, service in planned]


def _next(version: str, minor: bool) -> str:
    major, middle, patch = (int(part) for part in version.split("."))
    return f"{major}.{middle + 1}.0" if minor else f"{major}.{middle}.{patch + 1}"
