"""Settings that were meant and are not read: a name that nearly is one, a table that is no JSON.

Values are never repeated, for any of them may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel

PREFIX = "HEADWATER_"


def names(group: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every setting as it is written with dots."""
    for name, field in group.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from names(inner, (*path, name))
        else:
            yield ".".join((*path, name))


def variable(dotted: str) -> str:
    """Name the variable of a setting.

    Examples
    --------
    >>> variable("kafka.topic_prefix")
    'HEADWATER_KAFKA__TOPIC_PREFIX'
    """
    return PREFIX + dotted.replace(".", "__").upper()


def suggestion(dotted: str, known: type[BaseModel]) -> str:
    """What was probably meant, as the end of a sentence; empty when nothing is near."""
    near = get_close_matches(dotted, list(names(known)), n=1, cutoff=0.6)
    return f"; did you mean {near[0]} ({variable(near[0])})?" if near else ""


def misspelt(environment: Mapping[str, str], known: type[BaseModel]) -> str:
    """Say which variable would be ignored in silence for its underscores; empty when none would.

    Other names that begin alike are not ours to judge: Kubernetes sets some for a Service called headwater.
    """
    meant = {variable(each).replace("_", ""): variable(each) for each in names(known)}
    for name in environment:
        right = meant.get(name.upper().replace("_", "")) if name.upper().startswith(PREFIX) else None
        if right is not None and name.upper() != right:
            return f"there is no setting {name}; did you mean {right}?"
    return ""


def no_json(environment: Mapping[str, str], group: str) -> str:
    """Name the variable of a group of settings that must be JSON and is not."""
    for name, text in environment.items():
        if name.upper() == PREFIX + group.upper() or name.upper() in TABLES:
            try:
                json.loads(text)
            except ValueError:
                return name
    return PREFIX + group.upper()


TABLES = {"HEADWATER_KAFKA__CLIENT", "HEADWATER_DETECT__DECODERS"}
"""Settings that are tables, which a variable holds as a JSON object."""
