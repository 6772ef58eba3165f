"""Frozen values as plain data for JSON: `plain`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def plain(value: object) -> Any:
    """Frozen values as JSON data; a questionnaire's own file bytes stay out, and so do parts where there are none."""
    if is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "content"}
        return {name: plain(inner) for name, inner in held.items() if name != "parts" or inner is not None}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    return value
