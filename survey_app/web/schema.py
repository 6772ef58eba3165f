"""Small words for JSON Schema, so that `openapi.py` reads as a list of fields. Objects are closed: nothing unnamed."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def obj(*, optional: Mapping[str, Schema] | None = None, **required: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def mapping(values: Schema, most: int | None = None) -> Schema:
    bound = {} if most is None else {"maxProperties": most}
    return {"type": "object", "additionalProperties": values, **bound}


def array(items: Schema, most: int | None = None) -> Schema:
    bound = {} if most is None else {"maxItems": most}
    return {"type": "array", "items": items, **bound}


def pair(low: int, high: int) -> Schema:
    return {"type": "array", "items": integer(low, high), "minItems": 2, "maxItems": 2}


def string(*, pattern: str | None = None, min_length: int | None = None, max_length: int | None = None) -> Schema:
    bounds = {"pattern": pattern, "minLength": min_length, "maxLength": max_length}
    return {"type": "string", **{name: value for name, value in bounds.items() if value is not None}}


def integer(low: int | None = None, high: int | None = None) -> Schema:
    bounds = {"minimum": low, "maximum": high}
    return {"type": "integer", **{name: value for name, value in bounds.items() if value is not None}}


def word(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
