"""Canonical JSON: the same message is the same bytes, on every machine and in every replay.

Keys sorted, no white space, UTF-8, shortest round-trip floats. Dead letters and caches compare by bytes,
so nothing that depends on the order of construction may show.
"""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import orjson
from pydantic import BaseModel, ValidationError

from streams.errors import DecodeError

Model = TypeVar("Model", bound=BaseModel)


def encode(message: BaseModel) -> bytes:
    """Serialise to canonical JSON; `decode(type(m), encode(m)) == m` for every message.

    Examples
    --------
    >>> from correlator.evidence import Progress
    >>> encode(Progress(domain="shop", source="otlp_metrics-0", watermark_ms=15_000))
    b'{"domain":"shop","source":"otlp_metrics-0","sources":1,"type":"progress","watermark_ms":15000}'
    """
    return canonical(message.model_dump(mode="json", by_alias=True))


def canonical(document: Any) -> bytes:
    """Serialise plain JSON data canonically.

    Examples
    --------
    >>> canonical({"b": 1, "a": [None, 0.1]})
    b'{"a":[null,0.1],"b":1}'
    """
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def decode(model: type[Model], value: bytes) -> Model:
    """Read a message; unknown fields are ignored, so that older readers survive newer writers.

    Raises
    ------
    DecodeError
        Not JSON, a field of the wrong shape (its path in `field`), or a schema number that this version
        cannot read.
    """
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        raise _decode_error(model, error) from None


def revive(model: type[Model], document: Any) -> Model:
    """Like `decode`, for JSON that is already parsed, such as the data of a CloudEvent."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _decode_error(model, error) from None


def _decode_error(model: type[BaseModel], error: ValidationError) -> DecodeError:
    errors = error.errors(include_url=False, include_context=False)
    # A wrong schema number explains all other errors, so it is the one to tell.
    first = next((each for each in errors if each["loc"] == ("schema",)), errors[0])
    if first["loc"] == ("schema",):
        readable = " or ".join(str(number) for number in get_args(_schema_annotation(model)))
        return DecodeError(
            f"{model.__name__} of schema {first['input']!r}, but this version reads {readable};"
            " upgrade headwater before its producers",
            field="schema",
        )
    if not first["loc"]:
        return DecodeError(f"{model.__name__}: {first['msg']}")
    return DecodeError(f"{model.__name__}: {first['msg']}", field=path(first["loc"]))


def _schema_annotation(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("schema_version")
    return field.annotation if field else None


def path(location: tuple[int | str, ...]) -> str:
    """Spell a field's path as people write it.

    Examples
    --------
    >>> path(("items", 2, "anomaly", "score"))
    'items[2].anomaly.score'
    """
    spelled = ""
    for part in location:
        spelled += f"[{part}]" if isinstance(part, int) else f".{part}" if spelled else part
    return spelled
