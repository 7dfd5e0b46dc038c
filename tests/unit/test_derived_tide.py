"""The tide of our own against UTide's, and what ``petrel tide fit`` makes of a record."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from alerting.heights import load_constants
from ingest.derived import constituents
from ingest.derived.tide import Constants, Constituent, predict, unknown
from ingest.store.duckdb import DuckDBStore
from petrel.commands.tide import app
from petrel.sites import places
from simulators.scenario import load_scenario
from simulators.world import sea
from telemetry.batch import rows
from telemetry.series import series_id
from telemetry.settings import SettingsError

HALIFAX = Path(__file__).parents[3] / "shared" / "data" / "sealevel" / "halifax_490_2003_slev.csv"
HOUR = np.timedelta64(1, "h")


def nanoseconds(moments: np.ndarray) -> np.ndarray:
    return moments.astype("datetime64[ns]").astype(np.int64)


@pytest.fixture(scope="module")
def solved():
    """UTide's coefficients for half a year of a made tide, with whatever it finds in the noise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import utide

        moments = np.datetime64("2021-01-01T00:00") + np.arange(24 * 183) * HOUR
        hours = np.arange(len(moments))
        rng = np.random.default_rng(3)
        height = 2 * np.cos(hours * 0.5059) + 0.3 * np.cos(hours * 0.2625 + 1) + rng.normal(0, 0.1, len(hours))

        def solve(latitude: float):
            return utide.solve(
                moments, height, lat=latitude, trend=False, method="ols", conf_int="linear", verbose=False
            )

        yield utide, solve


@pytest.mark.parametrize("latitude", [44.67, 25.2, 2.0, -33.9])
def test_the_tide_is_that_of_utide_on_the_same_constants_to_a_thousandth_of_a_millimetre(solved, latitude):
    utide, solve = solved
    found = solve(latitude)
    constants = Constants(
        station="a",
        point="b",
        latitude=latitude,
        datum="d",
        mean=float(found.mean),
        source="test",
        constituents=tuple(
            Constituent(name=str(name), amplitude=float(amplitude), phase=float(phase))
            for name, amplitude, phase in zip(found.name, found.A, found.g, strict=True)
        ),
    )
    moments = np.datetime64("2031-05-01T00:03:17") + np.arange(0, 2000) * np.timedelta64(173, "m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = utide.reconstruct(moments, found, min_SNR=0, verbose=False).h
    assert np.abs(predict(constants, nanoseconds(moments)) - theirs).max() < 1e-6
    assert len(constants.constituents) >= 50


def test_every_constituent_has_the_speed_that_is_published():
    """Degrees an hour: Schureman, 1958, Manual of harmonic analysis and prediction of tides, table 2."""
    speeds = {"M2": 28.9841042, "S2": 30.0, "N2": 28.4397295, "K1": 15.0410686, "O1": 13.9430356, "M4": 57.9682084}
    begin = nanoseconds(np.array(["2023-01-01T00:00", "2023-01-01T01:00"], "datetime64[m]"))
    turned = np.diff(constituents.arguments(begin, 25.0, tuple(speeds)).argument, axis=0)[0] * 360 % 360
    np.testing.assert_allclose(turned, list(speeds.values()), atol=2e-5)


def test_a_name_that_nobody_knows_is_said():
    constants = Constants(
        station="a",
        point="b",
        latitude=0,
        datum="d",
        mean=0,
        source="",
        constituents=(Constituent(name="M2", amplitude=1, phase=0), Constituent(name="M2x", amplitude=1, phase=0)),
    )
    assert unknown(constants) == "M2x"


def test_the_constants_of_the_default_site_are_those_of_its_simulated_coast():
    site = places.folder(load_scenario("doksuri-2023").settings.site)
    moments = nanoseconds(np.datetime64("2023-07-28T00:00") + np.arange(48) * HOUR)
    coast = {"M2": (2.05, 17), "S2": (0.65, 135), "N2": (0.38, 218), "K1": (0.27, 243), "O1": (0.24, 134)}
    world = 0.25 + sea.tide(moments, {name: sea.Constituent(*pair) for name, pair in coast.items()})
    for gauge in ("tide-xiuyu", "tide-pinghai"):
        assert np.abs(predict(load_constants(site / f"{gauge}.yaml"), moments) - world).max() < 0.04


def run(*arguments: str):
    return CliRunner().invoke(app, ["fit", *arguments], catch_exceptions=True)


def record(path: Path, days: int) -> Path:
    moments = np.datetime64("2023-01-01T00:00") + np.arange(24 * days) * HOUR
    height = 1.5 + sea.tide(nanoseconds(moments), {"M2": sea.Constituent(2.0, 100.0), "K1": sea.Constituent(0.3, 10.0)})
    lines = [f"{at},tide-1,level,{x:.4f}" for at, x in zip(moments, height, strict=True)]
    path.write_text("\n".join(["time,station,point,value", *lines, "2023-01-01T00:00,other,level,99"]) + "\n")
    return path


def test_a_fit_says_its_constants_and_what_is_left_over_and_its_file_is_read_back(tmp_path):
    made, out, plot = record(tmp_path / "r.csv", 60), tmp_path / "c.yaml", tmp_path / "p.svg"
    done = run("demo/tide-1/level", "--latitude", "25", "--csv", str(made), "--out", str(out), "--plot", str(plot))
    assert done.exit_code == 0, done.output
    assert "1440 samples over 60.0 days; mean 1.500 m over gauge" in done.output
    constants = load_constants(out)
    assert constants.constituents[0].name == "M2"
    assert (constants.station, constants.point, constants.datum) == ("tide-1", "level", "gauge")
    moments = nanoseconds(np.datetime64("2023-02-01T00:30") + np.arange(100) * HOUR)
    made_of = {"M2": sea.Constituent(2.0, 100.0), "K1": sea.Constituent(0.3, 10.0)}
    assert np.abs(predict(constants, moments) - 1.5 - sea.tide(moments, made_of)).max() < 0.02
    assert plot.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a/b"], 2, "expected site/station/point"),
        (["a/b/c"], 2, "expected one of --csv, --store and --centre"),
        (["a/b/c", "--csv", "nowhere.csv"], 2, "expected a readable CSV file"),
        (["a/b/c", "--store", "nowhere.duckdb"], 2, "expected the store of a centre"),
        (["a/b/c", "--csv", "x.csv", "--from", "yesterday"], 2, "expected for example"),
    ],
)
def test_what_can_not_be_fitted_is_one_line(arguments, code, said):
    done = run(*arguments, "--latitude", "25")
    assert done.exception.code == code
    assert said in f"{done.exception}{done.output}"


def test_a_record_in_a_store_is_fitted_without_what_is_doubtful(tmp_path):
    moments = np.datetime64("2023-01-01T00:00") + np.arange(24 * 20) * HOUR
    height = 1.5 + sea.tide(nanoseconds(moments), {"M2": sea.Constituent(2.0, 100.0)})
    quality = np.ones(len(moments), np.uint8)
    height[100], quality[100] = 50.0, 2
    store = DuckDBStore(tmp_path / "store.duckdb")
    ids = np.full(len(moments), series_id("demo", "tide-1", "level", "sea_level"))
    store.commit([rows("demo/gw", ids, nanoseconds(moments), height, quality=quality).numbered(1, 1)])
    store.close()
    done = run("demo/tide-1/level", "--latitude", "25", "--store", str(tmp_path / "store.duckdb"), "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["constants"]["constituents"][0]["name"] == "M2"
    assert found["constants"]["rms"] < 0.01
    assert found["constants"]["source"] == "petrel tide fit from store.duckdb, 2023-01-01 to 2023-01-20"


def test_a_short_record_is_refused(tmp_path):
    done = run("demo/tide-1/level", "--latitude", "25", "--csv", str(record(tmp_path / "r.csv", 5)))
    assert "120 samples over 5.0 days, expected 200 or more over 15 days" in str(done.exception)


def test_constants_with_an_unknown_name_are_refused_with_their_line(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "station: a\npoint: b\nlatitude: 1\ndatum: d\nmean: 0\nsource: s\n"
        "constituents:\n- {name: M2, amplitude: 1, phase: 0}\n- {name: Q9, amplitude: 1, phase: 0}\n"
    )
    with pytest.raises(SettingsError, match="'Q9' is unknown or stands here twice"):
        load_constants(file)


@pytest.mark.skipif(not HALIFAX.exists(), reason="the record of Halifax is not here")
def test_halifax_2003_has_its_constants_and_hurricane_juan_is_left_over(tmp_path):
    """M2 0.63 m, 350 degrees (t_tide's demonstration, Pawlowicz 2002, other year); Juan: 1.5 m on 2003-09-29."""
    out = tmp_path / "h.yaml"
    done = run("ca/halifax/slev", "--latitude", "44.67", "--csv", str(HALIFAX), "--out", str(out))
    assert done.exit_code == 0, done.output
    first = load_constants(out).constituents[0]
    assert (first.name, first.amplitude, first.phase) == (
        "M2",
        pytest.approx(0.61, abs=0.03),
        pytest.approx(350, abs=2),
    )
    assert "greatest 1.5" in done.output
