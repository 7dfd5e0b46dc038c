"""The site file: its mistakes are one line with file, line, what was found and what was expected."""

from pathlib import Path

import pytest

from alerting.site import Levels, Threshold, load_site
from telemetry.settings import SettingsError
from telemetry.span import moment_ns

SITE = """\
id: here
name: {zh: 此地, en: Here}
bounds: [118.0, 24.0, 120.0, 26.0]
areas:
- {code: a, name: {zh: 甲, en: A}, lon: null, lat: null}
layers:
- {id: coast, file: coast.geojson, crs: EPSG:4326, attribution: {zh: 某, en: Some}}
thresholds:
- {station: s, point: p, quantity: sea_level, scheme: warn_tide, values: {blue: 3.2, yellow: 3.5}, datum: "1985",
   surveyor: x, date: "2020-01-01", illustrative: true}
pipelines:
- {id: l, name: {zh: 线, en: Line}, inlet: {station: s}, outlet: {station: t}, length_m: 10, towns: [a]}
typhoons:
- {id: t, name: {zh: 台风, en: T}, begins: "2023-07-27T00:00+08:00", ends: "2023-07-29T00:00+08:00", source: x}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "coast.geojson").write_text("{}", encoding="utf-8")
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_site_loads(tmp_path: Path) -> None:
    site = load_site(written(tmp_path, SITE)).settings
    assert site.thresholds[0].ladder() == (3.2, 3.5, None, None)


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("yellow: 3.5", "yellow: 3.1", 9, "expected values that do not fall from blue to red"),
        ("sea_level", "sea_levels", 9, "no quantity 'sea_levels'"),
        ("coast.geojson", "coasts.geojson", 7, "no file 'coasts.geojson'"),
        ("coast.geojson", "../site.yaml", 7, "no file '../site.yaml'"),
        ("EPSG:4326", "EPSG:3857", 7, "expected one of EPSG:4326"),
        ("towns: [a]", "towns: [b]", 12, "no area 'b'"),
        ("2023-07-29T", "2023-07-26T", 14, "expected a later time"),
        ("118.0, 24.0", "121.0, 24.0", 3, "expected west, south, east, north"),
        ("id: here", "id: here\ntimezone: Mars/Olympus", 2, "expected a name such as 'Asia/Shanghai'"),
        ("areas:\n", "areas:\n- {code: a, name: {zh: 乙, en: B}}\n", 6, "'a' stands here twice"),
        ("surveyor: x", "surveyed: x", 9, "surveyor"),
        ("yellow: 3.5", "yellow: .nan", 9, "nan, expected a finite number"),
        ("yellow: 3.5", "red: .inf", 9, "inf, expected a finite number"),
        ("warn_tide", "warn_tides", 9, "no scheme 'warn_tides', expected one of warn_tide, flood_stage"),
        ("warn_tide", "flood_stage", 9, "'sea_level' under flood_stage, expected 'water_level'"),
        ("quantity: sea_level", "quantity: wind_speed", 9, "'wind_speed' under warn_tide, expected 'sea_level'"),
        ("2020-01-01", "soon", 10, "'soon', expected a day such as 2026-01-31"),
        ("lon: null, lat: null", "lon: .nan, lat: 25", 5, "nan, expected a finite number"),
        ("lon: null, lat: null", "lon: 190, lat: 25", 5, "190.0, expected -180 to 180 degrees"),
        ("lon: null, lat: null", "lon: 119, lat: null", 5, "one of lon and lat, expected both or neither"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    assert old in SITE
    with pytest.raises(SettingsError) as caught:
        load_site(written(tmp_path, SITE.replace(old, new, 1)))
    text = str(caught.value)
    assert problem in text
    assert f"site.yaml:{line}: " in text or problem == "surveyor"
    assert "\n" not in text


def test_a_near_margin_makes_blue_only_where_blue_is_not_given() -> None:
    surveyed = {
        "station": "s",
        "point": "p",
        "quantity": "water_level",
        "scheme": "flood_stage",
        "datum": "1985",
        "surveyor": "x",
        "date": "2020-01-01",
        "illustrative": False,
    }
    assert Threshold(values=Levels(yellow=6.0), near_margin=0.3, **surveyed).ladder()[0] == 5.7
    assert Threshold(values=Levels(blue=5.0, yellow=6.0), near_margin=0.3, **surveyed).ladder()[0] == 5.0
    assert Threshold(values=Levels(orange=6.0), near_margin=0.3, **surveyed).ladder()[0] is None


def test_times_need_an_offset() -> None:
    assert moment_ns("1970-01-01T08:00+08:00") == 0
    assert moment_ns("1969-12-31T23:59:59.999999Z") == -1_000
    assert moment_ns("2026-05-01T09:00:00.654321+08:00") == 1_777_597_200_654_321_000
    with pytest.raises(ValueError, match="has no offset"):
        moment_ns("2023-07-28T08:00")
