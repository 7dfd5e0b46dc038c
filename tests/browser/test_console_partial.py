"""An area of which some is known and some is not, on a quiet day: it does not look normal."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Stack, free_port

PINGHAI = "平海镇"
KNOWN_S = 60.0


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Stack]:
    """A stack on which nothing happens."""
    one = Stack(tmp_path, free_port(), scenario="quiet")
    one.start()
    yield one
    one.stop()


def pinghai(stack: Stack) -> dict[str, Any]:
    """The area whose tide gauge has no thresholds, once the rest of it is known."""
    deadline = time.monotonic() + KNOWN_S
    while True:
        found: dict[str, Any] = next(a for a in stack.get("api/v1/areas")["items"] if a["name"]["zh"] == PINGHAI)
        others = [cell["outcome"] for hazard, cell in found["hazards"].items() if hazard != "storm_surge"]
        if others and set(others) == {"normal"}:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


@pytest.mark.timeout(180)
def test_a_partly_unknown_area_does_not_look_normal(
    quiet: Stack, open_page: Any, pictures: Callable[[str], Path]
) -> None:
    """F13: everything else in Pinghai is normal; whether its tide is, nobody knows."""
    area = pinghai(quiet)
    assert area["hazards"]["storm_surge"]["outcome"] == "unconfigured"
    assert (area["outcome"], area["level"], area["confidence"]) == ("unconfigured", 0, 0.75)
    watched = open_page(quiet, f"#area={area['code']}")
    page: Page = watched.page
    line = page.locator(".detail .why").filter(has_text=PINGHAI)
    expect(line).to_contain_text("风暴潮未配置阈值")
    expect(line).to_contain_text("75%")
    badge = line.locator(".badge")
    expect(badge).to_have_class(re.compile(r"\bis-partial\b"))
    expect(badge.locator(".letter")).to_have_text("½")
    expect(badge.locator(".word")).to_have_text("部分未知")
    assert badge.locator(".shape").evaluate("(shape) => getComputedStyle(shape).fill") == "none"
    expect(page.locator(".legend .is-partial")).to_be_visible()
    page.wait_for_timeout(1500)  # the map fades in; only for the picture
    page.screenshot(path=pictures("map"))
    assert watched.complaints == []
