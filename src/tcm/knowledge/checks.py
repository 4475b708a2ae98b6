"""How far the rows of the tables were looked up, and where what they name can be found.

The column `checked` names the public texts that bear a row out, or says why none does. A text bears a row out when it
gives the row's dose and agrees in every other field of it (toxicity, pregnancy, handling) that the text speaks of;
route and weight of a piece are not covered. `references.tsv` says where each text, and each source, is found.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Literal

from tcm.knowledge.rows import Row, keyed, read_rows
from tcm.knowledge.types import Reference

Mark = Literal["twice", "once", "open", "memory", "ours"]
MARKS: tuple[Mark, ...] = Mark.__args__
"""`twice`: independent texts agree with the row; `once`: one does; `open`: looked up, but a text says otherwise, or is
silent where the row has a value (its note says which); `memory`: not looked up; `ours`: chosen, no text settles it."""

_WORDS = frozenset(MARKS[2:])
_CLAUSES = {"open": "; the texts leave this open", "memory": "; from memory, not looked up"}


@cache
def references() -> dict[str, Reference]:
    """Every book, notice, paper and public copy that the tables name."""
    rows = read_rows(resources.files(__package__), "references.tsv", ("name", "kind", "origin", "where"))
    return keyed(
        rows,
        "name",
        lambda row: Reference(row.text("name"), row.text("kind"), row.text("origin"), row.text("where", required=True)),
    )


def resolve_source(source: str) -> tuple[tuple[Reference, str], ...]:
    """The references of a cell `source` (`; ` between them), each with the section that the cell adds after a comma.

    Raises:
        KeyError: for a part that begins with no name of `references.tsv`.
    """
    found = []
    for part in source.split("; "):
        name = max((name for name in references() if part == name or part.startswith(name + ", ")), key=len, default="")
        found.append((references()[name or part], part[len(name) + 2 :]))
    return tuple(found)


def checked(row: Row) -> tuple[str, ...]:
    """The cell `checked`: names of texts, or one word of `MARKS` that says why there is none.

    Raises:
        TableError: where it is empty, mixes the two, or names what `references.tsv` does not list as a text.
    """
    names = row.items("checked")
    known = all(name in references() and references()[name].origin for name in names)
    if not names or not (known or (len(names) == 1 and names[0] in _WORDS)):
        words = ", ".join(sorted(_WORDS))
        raise row.error("checked", f"{'|'.join(names)!r} says not what was seen", f"name texts, or one of {words}")
    return names


@cache
def mark(names: tuple[str, ...]) -> Mark:
    """What a cell amounts to; copies of one origin count once."""
    if names[0] in _WORDS:
        return names[0]
    return "twice" if len({references()[name].origin for name in names}) > 1 else "once"


def clause(of: Mark) -> str:
    """What a finding adds to its words where its row was not borne out; nothing where it was."""
    return _CLAUSES.get(of, "")


def counts(cells: Iterable[tuple[str, ...]]) -> dict[Mark, int]:
    """How many cells amount to each mark."""
    marks = [mark(names) for names in cells]
    return {of: marks.count(of) for of in MARKS}
