"""A parsed YAML file: its values in built-in types, and where each of them stands."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ruamel.yaml.scalarbool import ScalarBoolean

Step = str | int
Where = tuple[Step, ...]
Tree = Any
"""A parsed YAML node: mappings, sequences and scalars, with their places."""


def plain(node: Tree) -> Tree:
    """The tree in built-in types: the parser's own number and text types carry layout, which msgspec refuses."""
    if isinstance(node, dict):
        return {plain(key): plain(item) for key, item in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    if isinstance(node, ScalarBoolean):
        return bool(node)
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def not_finite(node: Tree, where: Where = ()) -> Iterator[tuple[Where, float]]:
    """Every number of a plain tree that is none or has no end, with its place: no setting means anything by it."""
    if isinstance(node, dict):
        for key, item in node.items():
            yield from not_finite(item, (*where, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from not_finite(item, (*where, index))
    elif isinstance(node, float) and not math.isfinite(node):
        yield where, node


def at(tree: Tree, steps: Sequence[Step]) -> Tree:
    """What stands at a path, or at the nearest parent of it."""
    for step in steps:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return tree
    return tree


def line(tree: Tree, steps: Sequence[Step]) -> int:
    """The line (from 1) of a path such as ``("buses", 0, "baud")``, or of its nearest parent."""
    found = 1
    for step in steps:
        place = getattr(tree, "lc", None)
        if place is None or not _holds(tree, step):
            break
        found = (place.key(step) if isinstance(step, str) else place.item(step))[0] + 1
        tree = tree[step]
    return found


def dotted(steps: Sequence[Step]) -> str:
    """A path for people."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.lstrip(".") or "file"


def _holds(tree: Tree, step: Step) -> bool:
    return step in tree if isinstance(tree, dict) else isinstance(step, int) and step < len(tree)
