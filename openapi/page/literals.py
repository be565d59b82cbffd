"""A value as a literal of JSON, Python or JavaScript: on one line if it fits, else on several."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

WIDTH = 68  # columns, of a pane beside the words
_STEP = "  "


class Words(NamedTuple):
    """How a language spells what JSON spells `true`, `false` and `null`."""

    true: str
    false: str
    null: str


JSON = Words("true", "false", "null")
PYTHON = Words("True", "False", "None")


def literal(value: Any, words: Words, indent: str = "", used: int = 0) -> str:
    """Return a value of JSON as source code; `used` columns are taken on its first line."""
    short = on_one_line(value, words)
    if len(indent) + used + len(short) < WIDTH or not isinstance(value, dict | list) or not value:
        return short
    inner = indent + _STEP
    if isinstance(value, list):
        lines = [literal(each, words, inner) for each in value]
        return f"[\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}]"
    lines = [
        f"{_text(name)}: {literal(each, words, inner, len(_text(name)) + 2)}"
        for name, each in value.items()
    ]
    return f"{{\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}}}"


def on_one_line(value: Any, words: Words) -> str:
    """Return a value on one line."""
    if isinstance(value, dict):
        inside = ", ".join(
            f"{_text(name)}: {on_one_line(each, words)}" for name, each in value.items()
        )
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(on_one_line(each, words) for each in value)}]"
    if isinstance(value, bool):
        return words.true if value else words.false
    return words.null if value is None else _text(value)


def _text(value: str | float) -> str:
    """Return text or a number; JSON's spelling of both is that of the other languages."""
    return json.dumps(value, ensure_ascii=False)
