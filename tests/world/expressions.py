"""DynamoDB's expressions, as far as the bundle uses them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

Item = dict[str, Any]
_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),]|[:#]?\w+)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
Condition = Callable[[Item, Mapping[str, str], Item], bool]


class _Parser:
    """Recursive descent over the conditions that the bundle uses: AND, OR, BETWEEN, functions."""

    def __init__(self, text: str) -> None:
        self.tokens: deque[str] = deque(_TOKEN.findall(text))

    def take(self, expected: str | None = None) -> str:
        token = self.tokens.popleft()
        assert expected in (None, token), f"{expected} expected, not {token}"
        return token

    def accept(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.popleft()
            return True
        return False

    def whole(self) -> Condition:
        condition = self.any_of()
        assert not self.tokens, f"not understood: {' '.join(self.tokens)}"
        return condition

    def any_of(self) -> Condition:
        parts = [self.all_of()]
        while self.accept("OR"):
            parts.append(self.all_of())
        return lambda *world: any(part(*world) for part in parts)

    def all_of(self) -> Condition:
        parts = [self.one()]
        while self.accept("AND"):
            parts.append(self.one())
        return lambda *world: all(part(*world) for part in parts)

    def one(self) -> Condition:
        if self.accept("("):
            inner = self.any_of()
            self.take(")")
            return inner
        word = self.take()
        if self.accept("("):
            return self.function(word)
        if self.accept("BETWEEN"):
            low = self.take()
            self.take("AND")
            high = self.take()
            first, second = self.compare(word, ">=", low), self.compare(word, "<=", high)
            return lambda *world: first(*world) and second(*world)
        return self.compare(word, self.take(), self.take())

    def function(self, name: str) -> Condition:
        path = self.take()
        if name == "begins_with":
            self.take(",")
            prefix = self.take()
            self.take(")")
            return lambda *world: str(_value(path, world)).startswith(_value(prefix, world))
        self.take(")")
        wanted = {"attribute_exists": True, "attribute_not_exists": False}[name]
        return lambda *world: (_value(path, world) is not None) is wanted

    @staticmethod
    def compare(left: str, sign: str, right: str) -> Condition:
        holds = _COMPARE[sign]

        def condition(*world: Any) -> bool:
            a, b = _value(left, world), _value(right, world)
            return type(a) is type(b) and holds(a, b)

        return condition


def _value(word: str, world: Sequence[Any]) -> Any:
    """Return what a word of an expression stands for: text, a number, or None for nothing."""
    item, names, values = world
    attribute: Item | None = values[word] if word[0] == ":" else item.get(names.get(word, word))
    if attribute is None:
        return None
    ((kind, value),) = attribute.items()
    return float(value) if kind == "N" else value


@cache
def condition_of(expression: str) -> Condition:
    """Return an expression as a function of (item, names, values)."""
    return _Parser(expression).whole()


def updated(item: Item, expression: str, values: Item) -> Item:
    """Return the attributes that `SET a = b + :c, … ADD d :e` gives."""
    changed: Item = {}
    sections = re.split(r"\b(SET|ADD)\b", expression)[1:]
    for section, text in zip(sections[::2], sections[1::2], strict=True):
        for clause in text.split(","):
            if section == "SET":
                name, _, source = (part.strip() for part in clause.partition("="))
                terms = [part.strip() for part in source.split("+")]
            else:
                name, amount = clause.split()
                terms = [name, amount] if name in item else [amount]
            found = [values[each] if each.startswith(":") else item[each] for each in terms]
            if len(found) == 1:
                changed[name] = found[0]
            else:
                changed[name] = {"N": str(sum(int(each["N"]) for each in found))}
    return changed
