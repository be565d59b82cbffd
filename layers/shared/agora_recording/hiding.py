"""Hides what may be secret: the one place that decides it, for requests, answers and notifications.

There are three signs, and each has its function:

- **The name** of a field speaks of a secret (`is_secret_name`): a password, a key, a token, an
  address that may carry one. Case and spelling do not matter.
- **The value** is known, because we sent it ourselves (`without_values`): Agora may repeat it whole
  or in part, escaped, folded, or encoded.
- **The shape** of a text shows it (`without_secrets`): an address with more than a host, a name
  with a value (`token=…`), a long run of letters and digits.

Everything here works on text as it came: a text that was clipped or folded before it is hidden may
hold a part of a secret that no longer looks like one.
"""

from __future__ import annotations

import hashlib
import html
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from operator import is_
from typing import Any

import msgspec

from agora_recording.foreign import load

HIDDEN = "…"
_PART = 8
"""A part of a secret with so many characters is hidden, a shorter one is not recognised."""

_LONGEST_TEXT = 16_384  # characters of a text that are looked at; the rest is cut
_DEEPEST = 24

# --- by name ------------------------------------------------------------------------------------

_WORDS = (
    "pass|pwd|secret|token|key|auth|credential|salt|signature|cookie|bearer|jwt|session_?id|\\bpin"
)
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
# Addresses carry keys in their path (a stream key, a webhook's): all but those of pictures, which
# are secret only if they have more than a path.
_ADDRESS_NAME = re.compile(r"(?<!image_)ur[il]s?[0-9_]*\Z", re.IGNORECASE)


@lru_cache(maxsize=1024)  # there are few names, and each notification has a dozen of them
def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret."""
    return bool(_SECRET_NAME.search(name) or _ADDRESS_NAME.search(name))


# --- by shape -----------------------------------------------------------------------------------

_ADDRESS = re.compile(
    r"([a-z][a-z0-9+.-]{0,20}):(?:\\{0,4}/){2}(?:[^\s/?#@\\]*@)?([^\s/?#\"'<>\\]+)([^\s\"'<>]*)",
    re.IGNORECASE,
)
_QUERY = re.compile(r"[?#]|://[^/\s]*@")
# A name that speaks of a secret, and its value, in JSON, in a query, in a header or in words.
_NAMED = re.compile(
    rf"(?P<name>(?:{_WORDS})[\w.-]{{0,40}}\\*[\"']?\s{{0,4}}[:=]\s{{0,4}})"
    r"(?:(?:bearer|basic|digest)\s{1,4})?"
    r"(?:(?P<quote>\\*[\"']).*?(?:(?<!\\)(?P=quote)|\Z)|[^\s,;&\"'}\])]+)",
    re.IGNORECASE | re.DOTALL,
)
_SHORTEST_RUN = 16
_RUN = re.compile(rf"[A-Za-z0-9+/_=~.-]{{{_SHORTEST_RUN},}}")
_FILE = re.compile(
    r"(?:bak[0-9]{1,9}_)?[0-9a-f]{32}_.*\.(?:m3u8|mpd|ts|webm|mp4|mp3|m4a|aac|jpg)\Z", re.DOTALL
)
_LONG_RUN = 40
_BOTH = re.compile(r"[0-9].*[A-Za-z]|[A-Za-z].*[0-9]", re.DOTALL)
_DIGEST = re.compile(rf"{HIDDEN}#([0-9a-f]{{8}})\Z")


def names_a_secret(text: str) -> bool:
    """Tell whether a text as a whole is to be kept like a secret.

    That is an address with more than a path, or a text that has a name with its value.
    """
    return bool((_ADDRESS.search(text) and _QUERY.search(text)) or _NAMED.search(text))


def without_addresses(text: str) -> str:
    """Return the text with each address cut after its host."""
    if ":" not in text:
        return text
    return _ADDRESS.sub(rf"\1://\2/{HIDDEN}", text)


def without_query(address: str) -> str:
    """Return an address without its user, query and fragment."""
    scheme, mark, rest = re.split(r"[?#]", address, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def without_secrets(text: str) -> str:
    """Return a text of somebody else's without what looks like a secret.

    Names of recorded files stay.
    """
    if ":" in text or "=" in text:  # most texts have neither, and searching costs more than looking
        text = _NAMED.sub(rf"\g<name>{HIDDEN}", without_addresses(text))
    return _RUN.sub(_without_run, text) if len(text) >= _SHORTEST_RUN else text


@lru_cache(maxsize=1024)
def _shown_name(name: str) -> str:
    return without_secrets(name)


def _without_run(match: re.Match[str]) -> str:
    return _without_run_of(match[0])


def _without_run_of(run: str) -> str:
    if _FILE.match(run):
        return run
    return HIDDEN if len(run) >= _LONG_RUN or _BOTH.search(run) else run


def hidden_address(address: str) -> str:
    """Return an address with its host and a hash: two addresses of one host stay different.

    What this function returned, it returns again.
    """
    found = _ADDRESS.match(address)
    known = _DIGEST.search(address)
    digest = known[1] if known else hashlib.sha256(address.encode()).hexdigest()[:8]
    return f"{found[1]}://{found[2]}/{HIDDEN}#{digest}" if found else f"{HIDDEN}#{digest}"


def address_name(address: str) -> str:
    """Return the name of an address for people and logs: its host and a hash."""
    host = _ADDRESS.match(address)
    return f"{host[2] if host else 'unknown'}{hidden_address(address).rpartition(HIDDEN)[2]}"


Own = Callable[[str], Callable[[str], str] | None]

# What any secret that `public` hides has in its JSON: an address, an escape, a part of a name. Each
# begins with a plain character: so `re` skips all others at once.
_SIGN = re.compile(
    rb"//|\\/|\\u|=|pass|pwd|pin|secret|salt|signature|session|token|key|auth|credential|cookie"
    rb'|bearer|jwt|ur[il]s?[0-9_]*"'
)
_RUN_OF_BYTES = re.compile(_RUN.pattern.encode())


def is_plain(raw: bytes, known: Collection[str | None]) -> bool:
    """Tell at a glance whether a JSON text has nothing to hide, but for the values in `known`.

    It may be wrong only in one way: then `public` looks, and finds nothing.
    """
    if not raw.isascii() or _SIGN.search(raw.lower()):
        return False
    runs = [match.decode() for match in _RUN_OF_BYTES.findall(raw)]
    return all(run in known or _without_run_of(run) != HIDDEN for run in runs)


def public(value: Any, own: Own = lambda _: None, depth: int = 0) -> Any:
    """Return a JSON value without what may be secret, by the names and the shapes in it.

    `own` may have a rule of its own for the texts of a name: what shows them, None for no rule.
    JSON text inside a text is read, too. The same value comes back if nothing had to be hidden.
    """
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, str):
        return _public_text(value, own, depth)
    if isinstance(value, Mapping):
        is_same, changed = True, {}
        for name, each in value.items():
            shown_name, shown = _shown_name(name), _public_member(name, each, own, depth)
            is_same = is_same and shown is each and shown_name == name
            changed[shown_name] = shown
        return value if is_same else changed
    if isinstance(value, list):
        items = [public(each, own, depth + 1) for each in value]
        return value if all(map(is_, items, value)) else items
    return value


def _public_member(name: str, value: Any, own: Own, depth: int) -> Any:
    if not isinstance(value, str | Mapping | list):
        return HIDDEN if _is_number(value) and is_secret_name(name) else value
    show = own(name)
    if show and not _has_objects(value):
        return _shown_by(show, value)
    if is_secret_name(name):
        if not value:
            return value
        if isinstance(value, str) and _ADDRESS.match(value):
            return hidden_address(value)
        return HIDDEN
    return public(value, own, depth + 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_objects(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and not all(isinstance(each, str) for each in value)
    )


def _shown_by(show: Callable[[str], str], value: Any) -> Any:
    shown = show(value) if isinstance(value, str) else [show(each) for each in value]
    return value if shown == value else shown


def _public_text(text: str, own: Own, depth: int) -> str:
    if text.lstrip()[:1] in ("{", "["):
        inner = load(text)
        if isinstance(inner, dict | list):
            changed = public(inner, own, depth + 1)
            return text if changed is inner else _json(changed)
    shown = without_secrets(text) if len(text) >= _PART else text
    return text if shown == text else shown


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# --- by value -----------------------------------------------------------------------------------

Place = tuple[str, int, int]
"""A character of a text as it is compared, and where in the text it stands (from, to)."""

_TOKEN = re.compile(
    r"\\+u([0-9a-fA-F]{4})|\\+[nrt]|\\+|((?:%[0-9a-fA-F]{2})+)|(&(?:#\w{1,7}|\w{2,6});)|(.)",
    re.DOTALL,
)
_SHORT = 4  # a shorter secret is hidden only where it stands as a word


def without_values(text: str, secrets: Iterable[str]) -> str:
    """Return a text of at most 16,384 characters without these secrets, in any form of theirs.

    A secret of at least eight characters is hidden in part, too: any eight of them that follow each
    other. The forms are: as it is; with escapes of JSON, URLs or HTML; with its white space folded
    or removed; in base64. Upper and lower case are the same.
    """
    text = text[:_LONGEST_TEXT]
    forms = {form for secret in secrets if secret for form in (secret, *_in_base64(secret))}
    hidden = bytearray(len(text))
    for spell in (_plain, _folded, _squeezed):
        places = list(spell(text))
        spelled = "".join(character for character, *_ in places)
        for start, end in _found(spelled, {_spelled(spell, form) for form in forms}):
            for at in range(places[start][1], places[end - 1][2]):
                hidden[at] = 1
    return _cut(text, hidden)


def _spelled(spell: Callable[[str], Iterable[Place]], text: str) -> str:
    return "".join(character for character, *_ in spell(text))


def _found(text: str, secrets: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where parts of the secrets are in a text."""
    parts: set[str] = set()
    for secret in secrets:
        if len(secret) >= _PART:
            parts.update(secret[at : at + _PART] for at in range(len(secret) - _PART + 1))
        elif len(secret) >= _SHORT:
            yield from (match.span() for match in re.finditer(re.escape(secret), text))
        elif secret:
            word = rf"(?<!\w){re.escape(secret)}(?!\w)"
            yield from (match.span() for match in re.finditer(word, text))
    if parts:
        for at in range(len(text) - _PART + 1):
            if text[at : at + _PART] in parts:
                yield at, at + _PART


def _cut(text: str, hidden: bytearray) -> str:
    pieces, at = [], 0
    while at < len(text):
        begin = hidden.find(1, at)
        if begin < 0:
            break
        end = hidden.find(0, begin)
        pieces += [text[at:begin], HIDDEN]
        at = len(text) if end < 0 else end
    return "".join([*pieces, text[at:]])


def _in_base64(secret: str) -> Iterator[str]:
    """Yield what a secret looks like in base64, at each of three places in what is encoded."""
    raw = secret.encode(errors="surrogatepass")
    if len(raw) >= _PART:
        yield b64encode(raw).decode()
        for before in range(3):
            coded = b64encode(bytes(before) + raw).decode().rstrip("=")
            # The characters at both ends depend on what stands beside the secret.
            yield coded[-(-before * 4 // 3) :][: (len(raw) * 4 - 4) // 3]


def _plain(text: str) -> Iterator[Place]:
    """Yield the characters as they are."""
    return ((each, at, at + 1) for at, each in enumerate(text))


def _folded(text: str) -> Iterator[Place]:
    """Yield a text in lower case, its escapes read and its white space folded."""
    was_space = False
    for characters, start, end in _read(text):
        for character in characters.lower():
            is_space = character.isspace()
            if not (is_space and was_space):
                yield " " if is_space else character, start, end
            was_space = is_space


def _squeezed(text: str) -> Iterator[Place]:
    """Yield what `_folded` yields without white space and signs, which encodings change."""
    for character, start, end in _folded(text):
        if character not in " +-":
            yield "_" if character == "/" else character, start, end


def _read(text: str) -> Iterator[Place]:
    """Yield the characters of a text whose escapes are read."""
    for match in _TOKEN.finditer(text):
        code, encoded, entity, plain = match.groups()
        start, end = match.span()
        if plain is not None:
            for character in _units(plain):
                yield character, start, end
        elif code is not None:
            yield chr(int(code, 16)), start, end
        elif encoded is not None:
            yield from _unquoted(encoded, start)
        elif entity is not None:
            yield html.unescape(entity), start, end
        elif match[0][-1] != "\\":
            yield " ", start, end


def _unquoted(encoded: str, start: int) -> Iterator[Place]:
    """Yield the characters of a text like `%C3%A9`, which stands at `start`."""
    raw = bytes.fromhex(encoded.replace("%", ""))
    try:
        text, sizes = raw.decode(), None
    except UnicodeDecodeError:
        text, sizes = raw.decode("latin-1"), 1
    for character in text:
        end = start + 3 * (sizes or len(character.encode()))
        for unit in _units(character):
            yield unit, start, end
        start = end


def _units(character: str) -> str:
    """Return a character as UTF-16 writes it: above U+FFFF as two."""
    code = ord(character) - 0x10000
    return character if code < 0 else chr(0xD800 + (code >> 10)) + chr(0xDC00 + (code & 0x3FF))
