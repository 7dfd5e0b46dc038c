"""Compiling: posts and the watch over silence for a catalogue and the editions of a time, with what was remembered."""

from collections.abc import MutableMapping, Sequence
from typing import Final

import numpy as np

from alerting.alarms.fold import Alarm
from alerting.alarms.machine import Limits, Memory
from alerting.engine.members import Entry, Subject
from alerting.engine.plan import make_plan
from alerting.engine.post import Post, adopt
from alerting.engine.silence import Silence, make_roster
from alerting.hazards import hazards
from alerting.rules.compiled import compile_rules
from alerting.rules.packs import Pack
from alerting.site import Site
from ingest.window import Window
from telemetry.batch import I64

NO_DATA: Final = "no_data"
Key = tuple[str, str, str]
"""Hazard, kind and identity of a subject."""


def make_post(
    pack: Pack, hazard: str, site: Site, entries: Sequence[Entry], window: Window, older: Sequence[Post]
) -> Post | None:
    """The post of one hazard, with the memory of the one before; None where nothing here is a subject of it."""
    compiled = compile_rules(pack, hazards()[hazard])
    plan = make_plan(compiled, site, entries, window)
    if plan is None:
        return None
    post = Post(plan, Memory.blank(len(plan.subjects)), Limits(compiled.hold_ns, compiled.confirm))
    for old in (old for old in older if old.plan.hazard == hazard):
        post.carry(old, *_moved(plan.subjects, old.plan.subjects))
    return post


def make_silence(
    pack: Pack, active: Sequence[Entry], window: Window, old: Silence | None, restored: MutableMapping[Key, Alarm]
) -> Silence:
    """The watch over the announced series, with the memory of the one before and the alarms of the log."""
    roster = make_roster(compile_rules(pack, hazards()[NO_DATA]), active, window)
    memory, heard = Memory.blank(len(roster.subjects)), np.zeros(len(roster.slot), np.int64)
    if old is not None:
        since = dict(zip(old.roster.slot.tolist(), old.heard_ns.tolist(), strict=True))
        heard = np.array([since.get(slot, 0) for slot in roster.slot.tolist()], np.int64)
        memory.carry(old.memory, *_moved(roster.subjects, old.roster.subjects))
    for key, place in keys(NO_DATA, roster.subjects).items():
        if key in restored:
            adopt(memory, place, restored.pop(key))
    return Silence(roster, memory, heard)


def resume(post: Post, restored: MutableMapping[Key, Alarm], corrected: MutableMapping[Key, tuple[int, int]]) -> None:
    """Hand the alarms and corrections of the log to the subjects that are here."""
    for key, place in keys(post.plan.hazard, post.plan.subjects).items():
        if key in restored:
            post.adopt(place, restored.pop(key))
        if key in corrected:
            post.corrected[place], post.corrected_ns[place] = corrected.pop(key)


def keys(hazard: str, subjects: Sequence[Subject]) -> dict[Key, int]:
    """The place of each subject by its key."""
    return {(hazard, subject.kind, subject.id): place for place, subject in enumerate(subjects)}


def _moved(new: Sequence[Subject], old: Sequence[Subject]) -> tuple[I64, I64]:
    """Where the subjects of an older list stand now, and where they stood."""
    place = keys("", new)
    pairs = [(place[key], was) for key, was in keys("", old).items() if key in place]
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
