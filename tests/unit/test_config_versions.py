"""Versions on the disk: whatever a power cut leaves, the list and gateway.yaml agree after the next start."""

import pytest

from gateway.remote import versions
from gateway.remote.versions import INTERRUPTED, State, Versions, digest
from telemetry.orders import VersionNote

NOW_NS = 1_795_000_000_000_000_000


def note(number, text):
    return VersionNote(number=number, digest=digest(text), key="desk", by="officer", time_ns=NOW_NS, state=State.TRIAL)


def states(kept):
    return [(one.number, one.state) for one in kept.notes()]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "gateway.yaml").write_text("old")
    return tmp_path / "gateway.yaml"


def test_what_is_installed_is_version_nought(path, tmp_path):
    kept = Versions(tmp_path / "versions")
    kept.settle("old", NOW_NS)
    kept.settle("old", NOW_NS)
    assert states(kept) == [(0, "running")]
    assert kept.text(0) == "old"
    assert kept.running.by == "as installed"


@pytest.mark.parametrize("writes", range(7))
def test_a_power_cut_at_any_write_leaves_one_truth(path, tmp_path, monkeypatch, writes):
    """Keeping and confirming a version takes six writes; after each of them the next start knows what runs."""
    kept = Versions(tmp_path / "versions")
    kept.settle("old", NOW_NS)
    left = [writes]

    def failing(place, content):
        if left[0] == 0:
            raise OSError(5, "cut")
        left[0] -= 1
        real(place, content)

    real = versions.write_whole
    monkeypatch.setattr(versions, "write_whole", failing)
    try:
        kept.keep(note(1, "new"), "new")
        kept.confirm(1, path)
    except OSError:
        pass
    else:
        assert writes >= 3, "gateway.yaml is the third: from there on it is confirmed, whatever the disk takes"
        assert (kept.running.number, states(kept)) == (1, [(0, "past"), (1, "running")])
    monkeypatch.setattr(versions, "write_whole", real)
    after = Versions(tmp_path / "versions")
    after.settle(path.read_text(), NOW_NS)
    assert path.read_text() in ("old", "new")
    assert after.running.digest == digest(path.read_text())
    assert after.text(after.running.number) == path.read_text()
    assert [state for _, state in states(after)].count("running") == 1
    assert State.TRIAL not in {state for _, state in states(after)}
    assert "changed at the gateway" not in {one.by for one in after.notes()}
    if path.read_text() == "old" and after.highest == 1:
        assert after.notes()[1].reason == INTERRUPTED


def test_a_disk_that_fails_behind_the_new_file_does_not_hide_that_it_stands_there(path, tmp_path, monkeypatch):
    """What is in gateway.yaml runs at the next start, so saying that it was rolled back would be a lie."""
    kept = Versions(tmp_path / "versions")
    kept.settle("old", NOW_NS)
    kept.keep(note(1, "new"), "new")
    real = versions.write_whole

    def failing(place, content):
        real(place, content)
        raise OSError(5, "the folder can't be synced")

    monkeypatch.setattr(versions, "write_whole", failing)
    kept.confirm(1, path)
    assert (path.read_text(), kept.running.number) == ("new", 1)


def test_a_number_is_never_given_twice_and_old_versions_go(path, tmp_path):
    kept = Versions(tmp_path / "versions")
    kept.settle("old", NOW_NS)
    for number in range(1, 41):
        kept.keep(note(number, f"try {number}"), f"try {number}")
        kept.mark(number, State.ROLLED_BACK, "no")
    assert Versions(tmp_path / "versions").highest == 40
    assert kept.text(0) == "old", "what runs is never thrown away"
    assert len(kept.notes()) <= 33
    with pytest.raises(ValueError, match="no version 3, expected one of 0, "):
        kept.text(3)


def test_a_file_that_was_changed_by_hand_becomes_a_version(path, tmp_path):
    kept = Versions(tmp_path / "versions")
    kept.settle("old", NOW_NS)
    kept.settle("by hand", NOW_NS)
    assert states(kept) == [(0, "past"), (1, "running")]
    assert (kept.running.by, kept.text(1)) == ("changed at the gateway", "by hand")


def test_a_version_that_the_disk_has_spoilt_is_none_to_go_back_to(path, tmp_path):
    """Half of a configuration may be one that passes every check, without the bus that was in the other half."""
    kept = Versions(tmp_path / "versions")
    kept.settle("old", NOW_NS)
    (tmp_path / "versions" / "000000.yaml").write_text("ol")
    with pytest.raises(ValueError, match="version 0 is not as it was sent"):
        kept.text(0)


def test_a_version_that_can_not_be_read_stops_nothing(path, tmp_path):
    kept = Versions(tmp_path / "versions")
    kept.settle("old", NOW_NS)
    (tmp_path / "versions" / "000000.json").write_bytes(b"\xff{")
    again = Versions(tmp_path / "versions")
    again.settle("old", NOW_NS)
    assert again.running.digest == digest("old")
