"""`headwater dlq`: what could not be read, why, and back again."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.command import command

if TYPE_CHECKING:
    from streams.kafka.letters import Letter, LetterBox

app = command(
    help="List, show and replay dead letters: records of `headwater.dlq`, with their original key, value and "
    "headers, and the reason why nothing could be made of them.",
)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]
FromTopic = Annotated[str | None, typer.Option("--topic", help="Only letters from this source topic.")]
Reason = Annotated[str | None, typer.Option(help="Only letters whose reason contains this text.")]
MAX_PREVIEW = 400
"""Bytes of a value that are shown without --out."""


@app.command(name="list")
def list_letters(
    topic: FromTopic = None,
    reason: Reason = None,
    limit: Annotated[
        int, typer.Option(min=1, help="The newest letters and the commonest reasons, so many of each.")
    ] = 20,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """List the newest letters, and how many there are by source topic and reason.

    The offset in front is what `dlq show` and `dlq replay --offset` take.
    """
    import orjson

    from streams.wire.cloudevents import rfc3339

    box = _box(config)
    counts: Counter[tuple[str, str]] = Counter()
    newest: deque[Letter] = deque(maxlen=limit)
    for letter in _chosen(box.all(), topic, reason):
        counts[letter.why.source_topic, _kind(letter.why.reason)] += 1
        newest.append(letter)
    if as_json:
        table = [{"topic": name, "reason": why, "letters": n} for (name, why), n in counts.most_common()]
        found = {"total": counts.total(), "by_reason": table, "letters": [_row(each) for each in newest]}
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    if not newest:
        typer.echo("no dead letters")
        return
    mark = box.replayed_to()
    for each in newest:
        again = f"  attempt {each.why.attempt}" if each.why.attempt > 1 else ""
        done = "  replayed" if each.offset < mark.get(each.partition, 0) else ""
        typer.echo(
            f"{each.offset:>8}  {rfc3339(each.why.first_seen_ms)}  {_source(each)}  {each.why.stage}  "
            f"{each.why.reason[:120]}{again}{done}"
        )
    typer.echo("")
    for (name, why), count in counts.most_common(limit):
        typer.echo(f"{count:>8} × {name}: {why}")
    if len(counts) > limit:
        typer.echo(f"         and {len(counts) - limit} more reasons; --json has all")


@app.command(context_settings={"ignore_unknown_options": True})  # or `show -1` would be an option
def show(
    offset: Annotated[int, typer.Argument(help="The letter's offset as `list` shows it; -1 is the newest.")],
    partition: Annotated[int, typer.Option(min=0, help="Partition of the dead-letter topic.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the original value to this file.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show one letter whole: the reason, the original record, and its value as text or hex."""
    import orjson

    from streams.errors import DecodeError, UserError

    try:
        letter = _box(config).at(offset, partition)
    except DecodeError as error:
        raise UserError(f"offset {offset} holds no dead letter: {error}") from None
    if out is not None:
        try:
            out.write_bytes(letter.value or b"")
        except OSError as error:
            raise UserError(f"{out}: cannot be written ({error.strerror})") from None
    row = _row(letter) | {
        "code_version": letter.why.code_version,
        "headers": {name: _text(value) for name, value in letter.headers},
        "value": _text(letter.value),
    }
    if as_json:
        typer.echo(orjson.dumps(row, option=orjson.OPT_INDENT_2).decode())
        return
    for name, value in row.items():
        shown = value if name != "value" or len(str(value)) <= MAX_PREVIEW else f"{value[:MAX_PREVIEW]}…"
        typer.echo(f"{name:<13} {shown}")


@app.command()
def replay(
    offset: Annotated[
        list[int] | None, typer.Option(help="Only the letter at this offset; may be repeated.")
    ] = None,
    topic: FromTopic = None,
    reason: Reason = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also letters that have been replayed already.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Send records back to the topic and partition that they came from, byte for byte.

    For when the fault has been mended: after an upgrade, or when the topic has got its decoder. Without a
    choice, all letters are sent that have not been yet, and remembered as replayed; with --offset, --topic
    or --reason only the chosen ones, and nothing is remembered. A record that fails again comes back as a
    letter of the next attempt. Samples that have become too late are counted as late, like any.
    """
    import orjson

    from streams.errors import UserError

    box = _box(config)
    mark = {} if again or offset else box.replayed_to()
    wanted = [
        letter
        for letter in _chosen(box.all(), topic, reason)
        if letter.offset >= mark.get(letter.partition, 0) and (not offset or letter.offset in offset)
    ]
    missing = sorted(set(offset or ()) - {letter.offset for letter in wanted})
    if missing:
        raise UserError(f"no such letter: {', '.join(map(str, missing))}; `headwater dlq list` shows them")
    left = [letter for letter in wanted if letter.value is None]
    if left and offset:
        raise UserError(f"letter {left[0].offset} holds no value: {left[0].why.reason}")
    if left:
        these = "letter that holds" if len(left) == 1 else "letters that hold"
        typer.echo(f"{len(left)} {these} no value is left; `headwater dlq list` says where it is", err=True)
    wanted = [letter for letter in wanted if letter.value is not None]
    sent = 0
    if wanted:
        if not yes and not _agreed(wanted):
            raise UserError("nothing was sent; --yes sends without asking")
        sent = box.replay(wanted, note=not (offset or topic or reason))
    typer.echo(orjson.dumps({"replayed": sent}).decode() if as_json else f"{sent} records replayed")


def _agreed(wanted: list[Letter]) -> bool:
    counts = Counter(letter.why.source_topic for letter in wanted)
    for name, count in counts.most_common():
        typer.echo(f"{count:>8} records back to {name}", err=True)
    return sys.stdin.isatty() and typer.confirm("Send them?", err=True)


def _box(config: Path | None) -> LetterBox:
    from streams.kafka.letters import LetterBox
    from streams.settings import load

    return LetterBox(load(config).kafka)


def _chosen(letters: Iterable[Letter], topic: str | None, reason: str | None) -> Iterator[Letter]:
    for letter in letters:
        if topic is not None and letter.why.source_topic != topic:
            continue
        if reason is None or reason in letter.why.reason:
            yield letter


def _row(letter: Letter) -> dict[str, Any]:
    why = letter.why
    return {
        "offset": letter.offset,
        "partition": letter.partition,
        "source": _source(letter),
        "source_ts_ms": why.source_ts_ms,
        "first_seen_ms": why.first_seen_ms,
        "stage": why.stage,
        "error": why.error,
        "reason": why.reason,
        "attempt": why.attempt,
        "key": _text(letter.key),
        "bytes": len(letter.value or b""),
    }


def _source(letter: Letter) -> str:
    return f"{letter.why.source_topic}[{letter.why.source_partition}]@{letter.why.source_offset}"


def _kind(reason: str) -> str:
    """Spell a reason without what differs from record to record, so that equal causes count as one.

    Examples
    --------
    >>> _kind("resourceMetrics[3].value: expected a number, found 17 of 20")
    'resourceMetrics[#].value: expected a number, found # of #'
    """
    import re

    return re.sub(r"\d+", "#", reason)[:120]


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "hex " + value.hex()
    return text if text.replace("\n", "").replace("\t", "").isprintable() else repr(text)
