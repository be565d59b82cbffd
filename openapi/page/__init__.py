"""The API's description as one page for people, docs/api.html (`make openapi` writes it).

Everything on it comes from the document that is served: each call with a request, its answers and
its errors, and the same request for curl, Python and Node (samples.py). The page loads nothing.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from openapi.page import reading, samples
from openapi.page.literals import JSON, literal

HERE = Path(__file__).parent
TARGET = Path(__file__).parents[2] / "docs" / "api.html"


def html(document: reading.Json) -> str:
    """Return the page of an OpenAPI document."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "prose": reading.prose,
        "kind": reading.kind,
        "breakable": reading.breakable,
        "json": lambda value: literal(value, JSON),
    }
    return environment.get_template("page.html").render(
        about=document["info"],
        groups=reading.groups(document),
        shared=reading.shared_errors(document),
        schemas=reading.schemas(document),
        languages=samples.LANGUAGES,
        environment=samples.ENVIRONMENT,
        locally=samples.LOCALLY,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
    )
