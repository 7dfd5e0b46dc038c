"""The register: its mistakes are one line; what it shares and counts; and a book of days that can't be read."""

import sqlite3
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from alerting.api.limits import Buckets
from alerting.register import Register, Share, Sharing
from alerting.site import load_site, register_of
from ingest.catalogue import Catalogue
from ingest.coverage.book import DayBook
from ingest.coverage.shelf import Shelf
from petrel.sites import places
from telemetry.settings import SettingsError
from tests.unit.centre_world import write_files

REGISTER = """\
owners:
- {id: water, name: {zh: 水务, en: Water}}
shares:
- {kinds: [river], owner: water, sharing: unconditional}
- {owner: water, sharing: none, condition: {zh: 密, en: secret}}
risks:
- {id: r, name: {zh: 甲, en: A}, kind: reservoir, town: "1001", lat: 25, lon: 119, within_m: 10, quantities: [flow],
   watched_by: [{station: s, quantity: flow}]}
planned:
- {town: "1001", kind: river, stations: 2}
"""


def loaded(folder: Path, register: str) -> Register:
    write_files(folder, register=register)
    return register_of(load_site(folder / "site.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("owner: water", "owner: fire", 4, "no owner 'fire', expected the id of one of 'owners'"),
        (
            "sharing: unconditional",
            "sharing: conditional",
            4,
            "nothing for sharing 'conditional', expected the condition",
        ),
        (", condition: {zh: 密, en: secret}", "", 5, "nothing for sharing 'none', expected the reason"),
        ("sharing: unconditional", "sharing: free", 4, "sharing"),
        ('kind: reservoir, town: "1001"', 'kind: reservoir, town: "9"', 7, "no area '9'"),
        ("quantities: [flow]", "quantities: [flows]", 7, "no quantity 'flows'"),
        (", quantities: [flow]", "", 7, "expected what near stations must measure"),
        ("{station: s, quantity: flow}", "{station: s, quantity: floe}", 8, "no quantity 'floe'"),
        ("lat: 25", "lat: 95", 7, "lat"),
        ("id: r,", "id: R r,", 7, "'R r', expected lower-case letters"),
        ("planned:\n", 'planned:\n- {town: "1001", kind: river, stations: 1}\n', 11, "stands here twice"),
        ("stations: 2", "stations: 0", 10, "stations"),
        ("owners:\n", "owners:\n- {id: water, name: {zh: 乙, en: B}}\n", 3, "'water' stands here twice"),
        ("owners:", "owner:", 1, "owner"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    assert len(loaded(tmp_path, REGISTER).risks) == 1
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, REGISTER.replace(old, new, 1))
    assert str(caught.value).startswith(f"{tmp_path / 'register.yaml'}:{line}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_site_names_only_a_register_beside_it(tmp_path: Path) -> None:
    loaded(tmp_path, REGISTER)
    site = tmp_path / "site.yaml"
    site.write_text(site.read_text("utf-8").replace("register.yaml", "../register.yaml"), "utf-8")
    with pytest.raises(SettingsError, match=r"register: no file '../register.yaml'"):
        load_site(site)


def test_the_first_share_that_names_a_station_counts() -> None:
    def share(**named: tuple[str, ...]) -> Share:
        return Share(owner="x", sharing=Sharing.UNCONDITIONAL, **named)

    by_name, by_kind, rest = share(stations=("a",)), share(kinds=("tide",)), share()
    register = Register(shares=(by_name, by_kind, rest))
    assert register.share_of("a", "tide") is by_name
    assert register.share_of("b", "tide") is by_kind
    assert register.share_of("b", "river") is rest
    assert Register(shares=(by_name,)).share_of("b", "tide") is None


def test_the_default_register_says_that_it_is_invented() -> None:
    folder = places.folder("xiuyu")
    register = register_of(load_site(folder / "site.yaml"))
    assert register.sample
    for named in (*register.owners, *register.risks):
        assert "示例" in named.name.zh
        assert named.name.en.startswith("Sample")
    assert all(risk.id.startswith("sample-") for risk in register.risks)
    assert {risk.kind for risk in register.risks} == {"polluter", "high_risk", "reservoir", "protected"}
    assert Path(str(files("petrel.sites"))) in folder.parents


def test_a_bucket_fills_again_and_the_table_stays_small() -> None:
    now = [0.0]
    buckets = Buckets(0.5, 2, most=3, now_s=lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 2.0, 2.0]
    now[0] = 1.5
    assert buckets.take("a") == 0.5
    now[0] = 2.0
    assert (buckets.take("a"), buckets.take("a")) == (0.0, 2.0)
    now[0] = 1000.0
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 2.0]
    for client in ("b", "c", "d", "e"):
        assert buckets.take(client) == 0.0
    assert len(buckets) == 3


def test_a_book_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    """Statistics stop no warning."""
    catalogue = Catalogue(site="demo", drill=False)
    path = tmp_path / "book.sqlite"
    for n, content in enumerate((b"this is no database, and longer than its header" * 10, None), 1):
        if content is None:
            with sqlite3.connect(path) as database:
                database.execute("UPDATE head SET version = 99")
        else:
            path.write_bytes(content)
        book = DayBook(path, catalogue, "UTC", 1_000)
        assert (tmp_path / f"book.sqlite.bad{n}").exists()
        book.close()
    shelf = Shelf(path)
    head = shelf.head()
    shelf.close()
    assert head is not None
    assert np.frombuffer(head.roll, np.uint8).size
