"""``petrel rules``: the rule packs and their own test cases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.commands.output import print_line, print_table

if TYPE_CHECKING:
    from alerting.rules import Pack

app = typer.Typer(no_args_is_help=True, help="Rule packs: check them, run their own test cases.")
Files = Annotated[list[Path] | None, typer.Argument(help="Pack files; without any, the packs of the product.")]


@app.command()
def check(files: Files = None) -> None:
    """Check rule packs; the first mistake is one line with file, line, found and expected (exit code 2)."""
    packs = _packs(files)
    heads = [(pack.head, len(pack.rules)) for pack in packs]
    rows = [(head.id, head.edition, rules, head.issuer.en, head.issuer.zh) for head, rules in heads]
    print_table(("pack", "edition", "rules", "issuer", "发布机构"), rows)


@app.command("test")
def run_tests(files: Files = None) -> None:
    """Run the test cases that stand in the packs; exit code 1 when one fails."""
    from alerting.rules.testing import run_pack_tests

    packs = _packs(files)
    findings = [finding for pack in packs for finding in run_pack_tests(pack)]
    for finding in findings:
        print_line(str(finding))
    if findings:
        raise typer.Exit(1)
    print_line(f"{len(packs)} packs, every case as expected")


def _packs(files: list[Path] | None) -> "list[Pack]":
    """The packs of these files, checked beside those of the product; without files, the latter."""
    from alerting.rules import load_packs

    packs = load_packs(extra=tuple(files or ())).packs
    named = {path.resolve() for path in files or ()}
    return [pack for pack in packs if not files or pack.document.path.resolve() in named]
