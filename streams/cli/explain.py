"""`headwater explain`: why this cause, why not the next two, what was exonerated, what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.command import command

if TYPE_CHECKING:
    from correlator.incident import Hypothesis, Incident

app = command()


@app.command()
def explain(
    incident: Annotated[str, typer.Argument(help="The incident's id, or enough of it to be one of a kind.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", help="Incidents as JSON lines (IncidentRecord or CloudEvents). Default: Kafka."
        ),
    ] = None,
    revision: Annotated[int | None, typer.Option(min=1, help="Default: the newest.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="YAML settings file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the revision as published.")] = False,
) -> None:
    """Explain one incident: the cause, its terms, the alternatives, what was exonerated, the blind spots."""
    from streams.errors import UserError

    found = [i for i in _incidents(file, config) if i.id.startswith(incident)]
    ids = sorted({i.id for i in found})
    if not ids:
        where = f"in {file}" if file else "on headwater.incidents"
        raise UserError(f"there is no incident {incident!r} {where}")
    if len(ids) > 1:
        raise UserError(f"{incident!r} may be {', '.join(ids[:4])}; give more of the id")
    wanted = [i for i in found if revision in (None, i.revision)]
    if not wanted:
        raise UserError(f"{ids[0]} has no revision {revision}; it has 1 to {max(i.revision for i in found)}")
    chosen = max(wanted, key=lambda i: i.revision)
    typer.echo(chosen.model_dump_json(indent=2, by_alias=True) if as_json else text(chosen))


def _incidents(file: Path | None, config: Path | None) -> list[Incident]:
    from streams import settings
    from streams.errors import DecodeError, UserError
    from streams.kafka.reading import decoded
    from streams.wire.topics import INCIDENTS

    if file is None:
        kafka = settings.load(config).kafka
        found, unread = decoded(kafka, kafka.topic(INCIDENTS.name), _incident)
        if unread:
            typer.echo(f"headwater: {unread}", err=True)
        return found
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or error})") from None
    out = []
    for number, line in enumerate(lines, start=1):
        try:
            out += [_incident(line)] if line.strip() else []
        except DecodeError as error:
            raise UserError(f"{file}, line {number}: not an incident ({error})") from None
    return out


def _incident(value: bytes) -> Incident:
    """Read one incident: a CloudEvent, an `IncidentRecord` or the bare revision."""
    import orjson

    from correlator.incident import Incident
    from streams.errors import DecodeError
    from streams.wire.cloudevents import decode_incident
    from streams.wire.codec import revive

    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise DecodeError(f"expected an object, found {type(body).__name__}")
    if "specversion" in body:
        return decode_incident(value).incident
    return revive(Incident, body.get("incident", body))


def text(incident: Incident) -> str:
    """The whole reasoning of a revision as plain text."""
    from correlator.reasoning import explain as reason
    from correlator.reasoning import why_not
    from correlator.spelling import clock

    answer = reason(incident)
    state = "settled" if incident.settled else f"revision {incident.revision}, {incident.status}"
    lines = [f"{incident.title}", f"{incident.id} · {state} · since {clock(incident.onset_ms)} UTC", ""]
    if incident.what_changed:
        lines.append(f"New in this revision: {incident.what_changed}")
    if incident.supersedes:
        lines.append(f"Merged into this one: {', '.join(incident.supersedes)}")
    lines.append(answer.summary.text)
    if incident.hypotheses and incident.abstention is None:
        lines += _cause(incident.hypotheses[0])
        others = why_not(incident)
        lines += _section("Why not", others)
    lines += _section("Suffer from it", [f"{i.service}: {i.summary}" for i in incident.impact])
    lines += _section(
        "Exonerated",
        [f"{e.service}: {e.reason}" if e.service not in e.reason else e.reason for e in incident.exonerated],
    )
    lines += _section("Discovered, not declared", incident.discovered)
    lines += _section("Contradictions", incident.conflicts)
    lines += _section("Not checked", incident.not_checked)
    lines += _section("Evidence", [f"{e.text}  [{e.id}]" for e in incident.evidence[:12]])
    if answer.next_question:
        lines += ["", f"Would decide: {answer.next_question}"]
    return "\n".join(lines)


def _cause(first: Hypothesis) -> list[str]:
    lines = ["", f"Because ({first.score:.1f} =)"]
    lines += [f"  {f.contribution:+5.1f}  {f.name.replace('_', ' ')}: {f.why}" for f in first.factors]
    for other in first.others:
        lines.append(f"  {other.role}: {other.why}")
    if first.chain:
        lines += ["", f"How it spread from {first.service}"]
        for hop in first.chain:
            by = ", ".join(str(s) for s in hop.edge_sources) or "nobody"
            lines.append(f"  {hop.source} → {hop.target}  {hop.lag_s:+.0f} s  (edge known from {by})")
    return lines


def _section(title: str, rows: object) -> list[str]:
    kept = [str(r) for r in rows] if isinstance(rows, (list, tuple)) else []
    return ["", title, *(f"  {row}" for row in kept)] if kept else []
