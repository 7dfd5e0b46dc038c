"""The rulebook: all packs in all editions, checked against each other, and chosen by the time that they are valid."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerting.rules.packs import Pack, load_pack, span_minutes
from telemetry.clock import MINUTE_NS

PACKS: Final = Path(__file__).parent.parent / "packs"
_FOR_EVER_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All packs in all editions."""

    packs: tuple[Pack, ...]

    def at(self, time_ns: int) -> dict[str, Pack]:
        """By hazard, the pack whose edition is the newest that is valid at a time."""
        chosen: dict[str, Pack] = {}
        for pack in self.packs:
            if pack.valid_from_ns <= time_ns:
                chosen[pack.head.id] = pack
        return {rule.hazard: pack for pack in chosen.values() for rule in pack.rules}

    def edition(self, time_ns: int) -> tuple[int, int]:
        """From when until when (exclusive) the editions of a time stay as they are."""
        begins = [pack.valid_from_ns for pack in self.packs]
        return (
            max((begin for begin in begins if begin <= time_ns), default=0),
            min((begin for begin in begins if begin > time_ns), default=_FOR_EVER_NS),
        )

    @property
    def newest_ns(self) -> int:
        """When the newest edition begins."""
        return max((pack.valid_from_ns for pack in self.packs), default=0)

    @property
    def longest_hold_ns(self) -> int:
        """The longest hold of any rule."""
        return max((span_minutes(r.hold) for pack in self.packs for r in pack.rules), default=0) * MINUTE_NS


def load_packs(folder: Path = PACKS, extra: Iterable[Path] = ()) -> Rulebook:
    """Every pack of a folder and of the ``extra`` files, oldest edition first; raises SettingsError.

    A pack that stands in the folder may be named as extra too; two packs that contradict each other are refused.
    """
    paths = sorted(folder.glob("*.yaml"))
    known = {path.resolve() for path in paths}
    packs = [load_pack(path) for path in (*paths, *(path for path in extra if path.resolve() not in known))]
    _only_one_each(packs)  # in this order, so that the file named last is the one to blame
    packs.sort(key=lambda pack: (pack.valid_from_ns, pack.head.id))
    return Rulebook(tuple(packs))


def _only_one_each(packs: Sequence[Pack]) -> None:
    editions: set[tuple[str, str]] = set()
    owner: dict[tuple[str, str], str] = {}
    for pack in packs:
        key = (pack.head.id, pack.head.edition)
        if key in editions:
            raise pack.document.error(("pack", "edition"), f"{key} stands in another file too, expected it once")
        editions.add(key)
        for index, rule in enumerate(pack.rules):
            for field, name in (("hazard", rule.hazard), ("id", rule.id)):
                other = owner.setdefault((field, name), pack.head.id)
                if other != pack.head.id:
                    problem = (
                        f"{name!r} stands in pack {other!r} too, expected each {field} in one pack and its editions"
                    )
                    raise pack.document.error(("rules", index, field), problem)
