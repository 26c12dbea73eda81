"""What the configuration's values are made of: each type with its reader, its form when shown, and its JSON Schema.

Times, amounts and names are read by `worker.written`, so that a fault shows the right form.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.fields import FieldInfo

from worker import written
from worker.core.model import Level, Role, Segment
from worker.core.money import Money
from worker.documents import nearest
from worker.secrets import SecretSource, Source

Duration = Annotated[
    timedelta,
    BeforeValidator(written.duration),
    PlainSerializer(written.in_units),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]{1,6}[wdhms]\s*)+$", "examples": ["4h", "15m", "7d"]}),
]
Amount = Annotated[
    Money,
    BeforeValidator(written.money),
    PlainSerializer(written.in_digits),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[A-Z]{3} [0-9]+(\.[0-9]+)?$", "examples": ["IDR 10000000"]},
                {
                    "type": "object",
                    "properties": {"amount": {"type": "number"}, "currency": {"type": "string"}},
                    "required": ["amount", "currency"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
LevelName = Annotated[
    Level,
    BeforeValidator(lambda value: written.name_in(Level, value)),
    PlainSerializer(lambda level: level.name),
    WithJsonSchema({"enum": list(written.names_of(Level))}),
]
RoleName = Annotated[
    Role,
    BeforeValidator(lambda value: written.name_in(Role, value)),
    PlainSerializer(lambda role: role.value),
    WithJsonSchema({"enum": list(written.names_of(Role))}),
]

SegmentName = Annotated[
    Segment,
    BeforeValidator(lambda value: written.name_in(Segment, value)),
    PlainSerializer(lambda segment: segment.value),
    WithJsonSchema({"enum": list(written.names_of(Segment))}),
]
Day = Annotated[
    date,
    BeforeValidator(written.day),
    PlainSerializer(lambda day: day.isoformat()),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-12-21"]}),
]


def _source(value: object) -> SecretSource:
    kinds = tuple(source.value for source in Source)
    if isinstance(value, SecretSource):
        return value
    if not isinstance(value, dict):
        raise ValueError("a secret must not stand in this file: put it elsewhere and write {env: NAME} or {file: PATH}")
    if len(value) != 1 or next(iter(value)) not in kinds:
        raise ValueError("expected one of {env: NAME}, {file: PATH} and {credential: NAME}")
    kind, name = next(iter(value.items()))
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{kind} needs a name")
    return SecretSource(Source(kind), name.strip())


SecretPlace = Annotated[
    SecretSource,
    BeforeValidator(_source),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {source.value: {"type": "string"} for source in Source},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }
    ),
]


def _text_or_source(value: object) -> str | SecretSource:
    if isinstance(value, str):
        return value
    return _source(value)


TextOrSecret = Annotated[
    str | SecretSource,
    BeforeValidator(_text_or_source),
    PlainSerializer(str),
    WithJsonSchema({"type": ["string", "object"]}),
]


def keyed_by(known: Iterable[str]) -> FieldInfo:
    """For editors only: the loader's own message knows the nearest name."""
    info: FieldInfo = Field(json_schema_extra={"propertyNames": {"enum": list(known)}})
    return info


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Section(BaseModel):
    """What all parts share: unknown keys are faults, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Deputy(Section):
    """Somebody who stands in."""

    id: str = Field(default="", description="the person's id in the CRM, for tasks")
    name: Annotated[str, Field(min_length=1)]
    email: Annotated[str, AfterValidator(written.mail)] = ""
    title: str = ""


def _stand_in(value: object) -> Role | Deputy:
    if isinstance(value, (str, Role)):
        return Role(written.name_in(Role, value))
    if isinstance(value, Deputy):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError("expected a role such as cs_manager, or a person: {name: ..., email: ..., id: ...}")
    for key, text in value.items():
        if key not in Deputy.model_fields:
            raise ValueError(f"unknown key {key}; {nearest(str(key), tuple(Deputy.model_fields))}")
        if not isinstance(text, str):
            raise ValueError(f"{key} must be a text")
    return Deputy(**{**value, "email": written.mail(value["email"]) if value.get("email") else ""})


StandIn = Annotated[
    Role | Deputy,
    BeforeValidator(_stand_in),
    PlainSerializer(lambda one: one.value if isinstance(one, Role) else one.model_dump(exclude_defaults=True)),
    WithJsonSchema({"anyOf": [{"enum": list(written.names_of(Role))}, Deputy.model_json_schema()]}),
]
