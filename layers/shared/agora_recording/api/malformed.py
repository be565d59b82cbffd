"""Says in words what is wrong with a body that is not a JSON object: where, and what was met.

The JSON parser's own messages are for programmers, and count bytes. These count lines and columns
(from 1, in characters), as an editor shows them. They repeat nothing of the body but a punctuation
mark or a well-known word, since a body may hold secrets.
"""

from __future__ import annotations

import re

import msgspec

_AT = re.compile(r"\(byte (\d+)\)")
_GOT = re.compile(r"got `(\w+)`")
_KINDS = {"array": "an array", "str": "a string", "int": "a number", "float": "a number"}
_KINDS |= {"bool": "true or false", "null": "null"}
# What other languages write for a value, and what JSON writes.
_WORDS = {
    "True": "write true",
    "False": "write false",
    "None": "write null",
    "nil": "write null",
    **dict.fromkeys(("undefined", "NaN", "Infinity"), "leave the field out"),
}
_WORD = re.compile("[A-Za-z]+")
_TYPOGRAPHIC = "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
_TYPOGRAPHIC += "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
_COMMENTS = ("//", "/*", "#")
# A brace of UTF-16, whose byte order mark API Gateway may have replaced.
_UTF_16 = re.compile(r"\{\0|\0\{")
_FORM = re.compile(r"[\w.%-]+=")


def rule(raw: bytes, error: ValueError) -> str:
    """Return the rule that a body breaks, as a problem tells it.

    `raw` is the whole body; `error` is what msgspec raised while it read `raw` as an object.
    """
    if not raw.strip():
        return "is empty; this call needs a JSON object"
    try:
        text = raw.decode()
    except UnicodeDecodeError as wrong:
        before = raw[: wrong.start].decode(errors="replace")
        return f"is not UTF-8: {_place(before)}: a byte that UTF-8 does not have there"
    if isinstance(error, msgspec.ValidationError):
        if kind := _GOT.search(str(error)):
            return f"must be a JSON object, not {_KINDS.get(kind[1], kind[1])}"
        return "has a number that is too large to be read"
    if _UTF_16.search(text[:4]):
        return "is UTF-16; send it in UTF-8"
    found = _AT.search(str(error))
    if found is None:
        return _cut_short(text)
    at, met = _met(str(error), raw, int(found[1]))
    return f"is not JSON: {_place(raw[:at].decode(errors='replace'))}: {met}"


def _cut_short(text: str) -> str:
    """Say what is wrong where the parser came to the end and missed something."""
    if re.search(r"\\u[dD][89a-fA-F]", text):
        return "must be valid Unicode: it has half of a surrogate pair"
    return (
        f"is not JSON: {_place(text)}: the text ends here, but a quote or a bracket is still open"
    )


def _place(before: str) -> str:
    line = before.rpartition("\n")[2]
    return f"line {before.count(chr(10)) + 1}, column {len(line) + 1}"


def _met(message: str, raw: bytes, at: int) -> tuple[int, str]:
    """Return the byte that is wrong, and what it is. `at` is the byte that the parser names."""
    if "trailing comma" in message:
        return raw.rindex(b",", 0, at), "a comma with nothing after it; leave it out"
    if "trailing characters" in message:
        return at - 1, "more text after the end of the object; send only one object"
    if "escape" in message:
        return at - 2, "a backslash with no meaning here; write \\\\ for one backslash"
    rest = raw[at:].decode(errors="replace")
    return at, _foreign(rest, at) or _missing(message, rest)


def _foreign(rest: str, at: int) -> str | None:
    """Name what other languages have and JSON does not, if `rest` begins with it."""
    if rest[:1] == "'":
        return "a single quote; JSON puts strings and names in double quotes"
    if rest[:1] and rest[0] in _TYPOGRAPHIC:
        return "a typographic quote; JSON has straight double quotes"
    if rest.startswith(_COMMENTS):
        return "a comment; JSON has none"
    if rest[:1] == "\ufeff":
        return "a byte order mark; send the text without it"
    if at == 0 and rest[:1] == "<":
        return "a <, as of HTML or XML; send JSON"
    if at == 0 and _FORM.match(rest):
        return "this is a form (name=value); send JSON"
    word = _WORD.match(rest.lstrip("-"))
    if word and word[0] in _WORDS:
        return f"{word[0]} is no value in JSON; {_WORDS[word[0]]}"
    if rest[:1] < " ":
        return r"a line break or a tab inside a string; write \n or \t"
    return None


def _missing(message: str, rest: str) -> str:
    """Say what was expected, from the parser's own words."""
    if "must be strings" in message:
        return "the name of a field must be here, in double quotes"
    if "expected ':'" in message:
        return "a colon must be here, between the name and its value"
    if "expected ','" in message:
        closing = "]" if "']'" in message else "}"
        return f"a comma or {closing} must be here"
    if "number" in message:
        return "a number that is not written as in JSON (such as 10, -1 or 0.5)"
    if rest[:1] in ("}", "]", ","):
        return f"a value is missing before this {rest[0]}"
    return "a value must be here: a string in double quotes, a number, true, false, null, { or ["
