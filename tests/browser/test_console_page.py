"""The duty officer's page on the running stack: what is seen, what is done, and what it never does."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

WARNING_MS = 115_000
DRAWN_S = 20.0
OFFICER = "Lin Hai"
CJK = re.compile(r"[\u3400-\u9fff]")
LATIN_WORDS = re.compile(r"[A-Za-z]{3,} [A-Za-z]{2,}")
LEVELLED = ".row:is(.is-red, .is-orange, .is-yellow, .is-blue)"
HERE = Path(__file__).parent
TEXTS = (HERE / "texts.mjs").read_text(encoding="utf-8")
FAINT = (HERE / "faint.mjs").read_text(encoding="utf-8")
BY_LOOK = {
    "is-red": ("红", "红色"),
    "is-orange": ("橙", "橙色"),
    "is-yellow": ("黄", "黄色"),
    "is-blue": ("蓝", "蓝色"),
}


def first_row(page: Page) -> Locator:
    """The first alarm that still waits for a person, once there is one."""
    row = page.locator(".row:has(.ack)").first
    expect(row).to_be_visible(timeout=WARNING_MS)
    return row


def alarm_of(row: Locator) -> str:
    found = row.get_attribute("data-alarm")
    assert found
    return found


def row_of(page: Page, alarm: str) -> Locator:
    return page.locator(f'.row[data-alarm="{alarm}"]')


def css_colour(page: Page, name: str) -> str:
    found = page.evaluate(
        "(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", f"--{name}"
    )
    return str(found)


def sign_in(page: Page) -> None:
    page.locator("button.duty").click()
    page.keyboard.type(OFFICER)
    page.keyboard.press("Enter")
    expect(page.locator("button.duty")).to_contain_text(OFFICER)


@contextmanager
def posts(page: Page) -> Iterator[list[dict[str, Any]]]:
    """The bodies that the page sends while this lasts."""
    sent: list[dict[str, Any]] = []

    def keep(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.post_data_json)

    page.on("request", keep)
    yield sent
    page.remove_listener("request", keep)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_warning_appears_on_the_list_and_on_the_map(
    stack: Any, open_page: Any, count_colour: Callable[[bytes, str], int], pictures: Callable[[str], Path]
) -> None:
    watched = open_page(stack)
    page: Page = watched.page
    row = page.locator(LEVELLED).first
    expect(row).to_be_visible(timeout=WARNING_MS)
    alarm = stack.alarm(alarm_of(row))
    look = next(name for name in BY_LOOK if name in (row.get_attribute("class") or ""))
    expect(row).to_contain_text(alarm["subject_name"]["zh"])
    expect(row).to_contain_text(alarm["hazard_name"]["zh"])
    expect(page.locator("[role=log] li").first).not_to_be_empty()

    colour = css_colour(page, look.removeprefix("is-"))
    deadline = time.monotonic() + DRAWN_S
    while count_colour(page.locator(".map").screenshot(mask=[page.locator(".legend")]), colour) < 40:
        assert time.monotonic() < deadline, f"no {look} on the map"
    page.screenshot(path=pictures("desk"))
    assert page.title().startswith("(")


def test_an_alarm_is_acknowledged_by_keyboard_alone(stack: Any, open_page: Any) -> None:
    page: Page = open_page(stack).page
    first_row(page)
    page.keyboard.press("j")
    row = page.locator(".row[aria-current=true]")
    expect(row).to_have_count(1)
    alarm = alarm_of(row)
    seen = int(row.get_attribute("data-version") or 0)
    with posts(page) as sent:
        page.keyboard.press("a")  # nobody has signed in: the name is asked first
        page.keyboard.type(OFFICER)
        page.keyboard.press("Enter")
        expect(row_of(page, alarm)).to_have_class(re.compile(r"state-(acknowledged|cleared)\b"))
    assert sent[0]["by"] == OFFICER
    assert sent[0]["version"] >= seen > 0
    assert stack.alarm(alarm)["acknowledged_by"] == OFFICER


def test_a_stale_acknowledgement_is_refused_and_said(stack: Any, open_page: Any) -> None:
    """F23: what the officer saw is what counts; the server refuses an older version and the page says so."""
    page: Page = open_page(stack).page
    sign_in(page)
    row = first_row(page)
    alarm = alarm_of(row)

    def age(route: Route) -> None:
        body = route.request.post_data_json
        other = body["version"] - 1 or body["version"] + 1  # the first version has none before it
        route.continue_(post_data=dict(body, version=other))

    page.route("**/ack", age)
    with page.expect_response("**/ack") as answered:
        row.locator(".ack").click()
    assert answered.value.status == 409
    assert answered.value.headers["content-type"].startswith("application/problem+json")
    expect(row_of(page, alarm).locator(".note")).to_contain_text("没有确认")
    expect(row_of(page, alarm).locator(".ack")).to_be_enabled()


def test_the_chart_shows_the_thresholds_of_the_station(
    stack: Any, open_page: Any, count_colour: Callable[[bytes, str], int]
) -> None:
    page: Page = open_page(stack).page
    first_row(page)
    stations = stack.get("api/v1/stations?limit=200")["items"]
    station, reading = next((s, r) for s in stations for r in s["readings"] if r["thresholds"])
    page.goto(f"{stack.url}#station={station['id']}&series={reading['series']}")
    names = page.locator(".chart .thresholds li")
    expect(names).to_have_count(len(reading["thresholds"]))
    for threshold in reading["thresholds"]:
        expect(page.locator(".chart .thresholds")).to_contain_text(threshold["name"]["zh"])
    expect(page.locator(".chart .u-over")).to_be_visible()
    nearest = min(reading["thresholds"], key=lambda threshold: threshold["level"])
    colour = css_colour(page, ["normal", "blue", "yellow", "orange", "red"][nearest["level"]])
    deadline = time.monotonic() + DRAWN_S
    while count_colour(page.locator(".plot").screenshot(), colour) < 60:
        assert time.monotonic() < deadline, f"no line of {nearest['name']['zh']} in the chart"


def test_a_code_is_shown_with_its_word_in_both_languages(
    stack: Any, open_page: Any, pictures: Callable[[str], Path]
) -> None:
    """The word comes from the device's profile, by way of the gateway; what has no words stays a number."""
    watched = open_page(stack, "#station=gas-lng")
    page: Page = watched.page
    states = page.locator(".readings tr").filter(has_text="设备状态")
    with_word = states.filter(has_text="监测")
    expect(with_word.first.locator(".value")).to_have_text(re.compile(r"^\s*1 监测$"))
    without = states.filter(has_not_text="监测").first.locator(".value")
    expect(without).to_have_text(re.compile(r"^\s*0\s*$"))
    with_word.first.locator("button.pick").click()
    expect(page.locator(".chart output")).to_contain_text("1 监测")
    page.locator("button.lang").click()
    expect(page.locator(".readings .value").filter(has_text="1 monitoring").first).to_be_visible()
    expect(page.locator(".chart output")).to_contain_text("1 monitoring")
    page.screenshot(path=pictures("words"))
    (lng,) = [one for one in stack.get("api/v1/stations")["items"] if one["id"] == "gas-lng"]
    found = {one["point"]: one for one in lng["readings"]}
    assert found["east-state"]["meaning"] == {"zh": "监测", "en": "monitoring"}
    assert found["east-fault"]["meaning"] is None
    points = stack.get(f"api/v1/series/{found['east-state']['series']}/points")
    series = stack.get(f"api/v1/series/{found['east-state']['series']}")
    assert points["states"] == series["states"]
    assert points["states"]["5"] == {"zh": "模拟", "en": "simulation"}
    assert watched.complaints == []


@pytest.mark.parametrize(("language", "foreign"), [("zh", LATIN_WORDS), ("en", CJK)])
def test_no_sentence_is_mixed(stack: Any, open_page: Any, language: str, foreign: re.Pattern[str]) -> None:
    page: Page = open_page(stack).page
    first_row(page)
    if language == "en":
        page.locator("button.lang").click()
        expect(page.locator("h2").first).to_have_text(re.compile("Alarms"))
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_be_visible()
    mixed = [text for text in page.evaluate(TEXTS) if foreign.search(text)]
    assert mixed == []
    assert (page.locator("html").get_attribute("lang") or "").startswith(language)


def test_nothing_leaves_the_origin_and_nothing_complains(stack: Any, open_page: Any) -> None:
    watched = open_page(stack)
    page: Page = watched.page
    policy = page.request.get(stack.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    first_row(page)
    page.keyboard.press("j")
    expect(page.locator(".map canvas")).to_be_visible()
    expect(page.locator(".chart canvas")).to_be_visible()
    for button in page.locator(".zoom button").all():
        button.click()
    page.locator(".hours button").first.click()
    page.locator("button.sound").click()
    page.locator("button.lang").click()
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    page.emulate_media(media="print")
    page.locator(".map canvas").screenshot()
    assert watched.strangers == []
    assert watched.complaints == []


def test_the_order_is_held_under_the_pointer_and_focus_is_never_stolen(stack: Any, open_page: Any) -> None:
    page: Page = open_page(stack).page
    row = first_row(page)
    alarm = alarm_of(row)
    page.locator(".detail select").focus()
    row.hover()
    before = [alarm_of(one) for one in page.locator(".row").all()]
    stack.acknowledge(alarm, "Chen")
    expect(row_of(page, alarm)).to_contain_text("Chen")
    assert [alarm_of(one) for one in page.locator(".row").all()] == before
    assert page.evaluate("() => document.activeElement.tagName") == "SELECT"
    page.mouse.move(1200, 300)
    expect(page.locator(".group.is-active, .group.is-over").first).to_be_visible()


def test_a_level_is_never_colour_alone(stack: Any, open_page: Any) -> None:
    page: Page = open_page(stack).page
    expect(page.locator(LEVELLED).first).to_be_visible(timeout=WARNING_MS)
    page.keyboard.press("?")
    shapes = {}
    for look, (letter, word) in BY_LOOK.items():
        sign = page.locator(f".signs .badge.{look}")
        expect(sign.locator(".letter")).to_have_text(letter)
        expect(sign.locator(".word")).to_have_text(word)
        shapes[look] = sign.locator(".shape").get_attribute("d")
    assert len(set(shapes.values())) == len(BY_LOOK)
    for row in page.locator(LEVELLED).all():
        look = next(name for name in BY_LOOK if name in (row.get_attribute("class") or ""))
        expect(row.locator(".badge .shape")).to_have_attribute("d", shapes[look] or "")
        expect(row.locator(".level")).to_have_text(BY_LOOK[look][1])


def test_the_unknown_is_grey_and_never_normal(stack: Any, open_page: Any) -> None:
    """F13: a station of which nothing is known does not look like one that is well."""
    page: Page = open_page(stack).page
    first_row(page)
    unknown = [
        s for s in stack.get("api/v1/stations?limit=200")["items"] if s["outcome"] in ("unconfigured", "no_data")
    ]
    assert unknown, "the default site has gauges without thresholds"
    for station in unknown:
        page.goto(f"{stack.url}#station={station['id']}")
        badge = page.locator(".detail > header > .badge")
        expect(badge).to_have_class(re.compile(r"is-(partial|unconfigured|no_data|suspect)\b"))
        assert badge.locator(".shape").evaluate("(shape) => getComputedStyle(shape).fill") == "none"


@pytest.mark.parametrize(
    ("width", "height", "media"), [(1440, 900, "screen"), (390, 844, "screen"), (1440, 900, "print")]
)
def test_text_is_legible(
    stack: Any, open_page: Any, pictures: Callable[[str], Path], width: int, height: int, media: Any
) -> None:
    page: Page = open_page(stack, width=width, height=height).page
    first_row(page)
    page.emulate_media(media=media, reduced_motion="reduce")
    page.screenshot(path=pictures("page"), full_page=True)
    assert page.evaluate(FAINT) == []


def test_a_telephone_shows_the_list_first_and_one_large_button_per_alarm(stack: Any, open_page: Any) -> None:
    page: Page = open_page(stack, width=390, height=844).page
    row = first_row(page)
    button, around = row.locator(".ack").bounding_box(), row.bounding_box()
    assert button
    assert around
    assert button["height"] >= 56
    assert button["width"] > 0.85 * around["width"]
    expect(row.locator(".ack")).to_have_text("收到")
    top = page.locator(".map").bounding_box()
    assert top
    assert around["y"] < top["y"]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_every_view_is_an_address(stack: Any, open_page: Any) -> None:
    page: Page = open_page(stack).page
    row = first_row(page)
    alarm = alarm_of(row)
    row.locator(".pick").click()
    page.locator(".hours button").first.click()
    page.locator("button.lang").click()
    again: Page = open_page(stack, page.url.removeprefix(stack.url)).page
    expect(row_of(again, alarm)).to_have_attribute("aria-current", "true")
    expect(again.locator(".hours button").first).to_have_attribute("aria-pressed", "true")
    expect(again.locator("html")).to_have_attribute("lang", "en")
    page.go_back()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
