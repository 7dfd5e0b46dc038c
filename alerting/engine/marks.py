"""What gateways should hurry: the values of each series whose crossing a rule looks at directly."""

from collections.abc import Sequence

import numpy as np

from alerting.engine.post import Post
from alerting.metric import newest
from ingest.window import Window
from telemetry.batch import F64, I64

Marks = dict[int, tuple[float, ...]]
"""Series id to values in the canonical unit, ascending."""


def marks(posts: Sequence[Post], window: Window) -> Marks:
    """The thresholds of rules that compare the newest reading; what is computed from several hurries nobody."""
    pairs = [pair for post in posts for pair in _pairs(post)]
    if not pairs:
        return {}
    slots = np.concatenate([slot for slot, _ in pairs])
    values = np.concatenate([value for _, value in pairs])
    table = np.unique(np.stack([slots.astype(np.float64), values], axis=1), axis=0)
    found, starts = np.unique(table[:, 0].astype(np.int64), return_index=True)
    groups = np.split(table[:, 1], starts[1:]) if len(found) else []  # splitting nothing gives one empty group
    return {int(window.ids[slot]): tuple(group.tolist()) for slot, group in zip(found, groups, strict=True)}


def _pairs(post: Post) -> list[tuple[I64, F64]]:
    """Slots and thresholds, one of each, of every probe that looks at one reading."""
    plan, found = post.plan, []
    for probe, slots in enumerate(plan.slots):
        if plan.compiled.probes[probe].metric.compute is not newest:
            continue
        present = np.flatnonzero(~plan.absent[:, probe])
        bars = plan.thresholds[np.ix_(present, np.flatnonzero(plan.compiled.probe == probe))]
        slot = np.repeat(slots[present, 0], bars.shape[1])
        known = ~np.isnan(bars.ravel())
        found.append((slot[known], bars.ravel()[known]))
    return found
