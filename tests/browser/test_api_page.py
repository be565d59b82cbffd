"""The API's page in a browser: read without a network, on a desk and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openapi import page as api_page
from openapi.page.samples import LANGUAGES
from tests.world.chromium import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESKTOP, PHONE = (1280, 900), (390, 844)

pytestmark = [pytest.mark.browser, needs_chromium]


def visit(browser: Browser, size: tuple[int, int] = DESKTOP, place: str = "") -> Page:
    """Open the file at one of its places, where there is no network."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, offline=True)
    page = context.new_page()
    page.goto(f"{api_page.TARGET.as_uri()}{place}")
    return page


def test_it_asks_for_nothing_but_itself(browser: Browser) -> None:
    context = browser.new_context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.new_page().goto(api_page.TARGET.as_uri())
    assert asked == [api_page.TARGET.as_uri()]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda each: each.slug)
def test_every_call_shows_the_sample_of_the_language_that_is_chosen(
    browser: Browser, language: api_page.samples.Language
) -> None:
    page = visit(browser)
    page.get_by_label(language.name, exact=True).check()
    for call in page.locator(".call").all():
        shown = call.locator(".sample:visible")
        assert shown.count() == 1
        assert shown.get_attribute("data-language") == language.slug


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_the_screen(browser: Browser, size: tuple[int, int]) -> None:
    page = visit(browser, size)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]


def test_a_link_to_a_call_shows_it_below_the_choice_of_languages(browser: Browser) -> None:
    page = visit(browser, place="#updateLayout")
    bar = page.locator(".languages").bounding_box()
    head = page.locator("#updateLayout h3").bounding_box()
    assert bar
    assert head
    assert bar["y"] + bar["height"] <= head["y"] <= DESKTOP[1] / 2


def test_the_text_stands_out_from_its_ground_in_the_dark_too(browser: Browser) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(api_page.TARGET.as_uri())
    colours = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    text, ground = (sum(int(each) for each in rgb[4:-1].split(",")) for rgb in colours)
    assert text - ground > 500
