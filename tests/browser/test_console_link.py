"""When the server is not heard: the page says so within seconds, and misses nothing afterwards."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

WARNING_MS = 115_000
SILENT_S = 5.0
BAR_MS = 9_000
BACK_MS = 20_000


def shown(page: Page) -> set[str]:
    return set(page.locator(".row").evaluate_all("(rows) => rows.map((row) => row.dataset.alarm)"))


def in_picture(stack: Any) -> set[str]:
    """The alarms that a page must show: those that are not over, and those that a moment ago were not."""
    return {alarm["id"] for alarm in stack.get("api/v1/alarms?limit=200")["items"] if alarm["state"] != "cleared"}


def expect_nothing_missing(page: Page, stack: Any) -> None:
    deadline = time.monotonic() + BACK_MS / 1000
    while missing := in_picture(stack) - shown(page):
        assert time.monotonic() < deadline, f"missing on the page: {missing}"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_silent_server_is_said_in_seconds_and_nothing_is_missing_afterwards(
    stack: Any, open_page: Any, pictures: Callable[[str], Path]
) -> None:
    page: Page = open_page(stack).page
    expect(page.locator(".row").first).to_be_visible(timeout=WARNING_MS)
    bar = page.locator(".bar.is-lost")
    expect(bar).to_have_count(0)
    stack.freeze()  # the connection stands, and nothing comes
    frozen_at = time.monotonic()
    expect(bar).to_be_visible(timeout=BAR_MS)
    assert time.monotonic() - frozen_at > SILENT_S - 3  # heartbeats come every 2 s, so the last may be that old
    box, frame = bar.bounding_box(), page.viewport_size
    assert box
    assert frame
    assert box["width"] == frame["width"]
    page.screenshot(path=pictures("silent"))
    stack.thaw()
    expect(bar).to_have_count(0, timeout=BACK_MS)
    expect_nothing_missing(page, stack)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_page_outlives_the_server_and_nothing_is_missing_afterwards(stack: Any, open_page: Any) -> None:
    page: Page = open_page(stack).page
    expect(page.locator(".row").first).to_be_visible(timeout=WARNING_MS)
    stack.stop()
    expect(page.locator(".bar.is-lost")).to_be_visible(timeout=BAR_MS)
    expect(page.locator(".link.is-lost")).to_be_visible()
    stack.start()
    expect(page.locator(".bar.is-lost")).to_have_count(0, timeout=BACK_MS)
    expect_nothing_missing(page, stack)
