"""Tables in Markdown, and the places of a page that are written by a command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def table(head: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; `head` are the names of its columns with bars between."""
    names = head.split("|")
    lines = [names, ["---"] + ["---:"] * (len(names) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Page:
    """A page under docs/ with blocks between `<!-- name -->` and `<!-- /name -->`."""

    def __init__(self, name: str) -> None:
        self._path = DOCS / name

    def fill(self, name: str, text: str) -> None:
        """Put a text into a block. Raises LookupError when the page has no such block."""
        page = self._path.read_text(encoding="utf-8")
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not block.search(page):
            raise LookupError(f"{self._path.name} has no block {name}")
        page = block.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)
        self._path.write_text(page, encoding="utf-8")

    def image(self, name: str, text: str) -> None:
        """Write an image beside the page."""
        folder = self._path.parent / "img"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
