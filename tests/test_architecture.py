"""The rooms of both packages import one way, in no circle, and the domain needs neither torch nor notebooks."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src"

# A room imports rooms of the levels before its own, and nothing of its own level but itself.
ORDER = {
    "tcm": (
        *("files unseen late", "cases", "knowledge", "identifiers", "prescriptions", "answers", "evidence"),
        *("sources metrics invented", "commands"),
    ),
    "tcm_rlaif": ("study", "models", "feedback", "training", "evaluation", "report", "explore", "runner"),
}
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "pandas", "papermill")
MOST_LINES = 300


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of both packages."""
    files = [path for package in ORDER for path in sorted((SRC / package).rglob("*.py"))]
    parts = {path: path.relative_to(SRC).with_suffix("").parts for path in files}
    return {".".join(p[:-1] if p[-1] == "__init__" else p): path for path, p in parts.items()}


def level(name: str) -> tuple[int, int, str] | None:
    """Package, level and room of a module; None for the packages themselves and `tcm_rlaif.__main__`."""
    package, _, rest = name.partition(".")
    room = rest.partition(".")[0]
    found = [number for number, rooms in enumerate(ORDER[package]) if room in rooms.split()]
    return (list(ORDER).index(package), found[0], room) if found else None


def imported(name: str) -> Iterator[tuple[int, str]]:
    """Line and module of each import of our own, inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(modules()[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            own = name if modules()[name].name == "__init__.py" else name.rpartition(".")[0]
            source = resolve_name("." * node.level + (node.module or ""), own)
            inner = [f"{source}.{alias.name}" for alias in node.names]
            found = [one if one in modules() else source for one in inner]
        else:
            continue
        yield from ((node.lineno, one) for one in dict.fromkeys(found) if one.partition(".")[0] in ORDER)


def allowed(name: str, other: str) -> bool:
    """Whether the order of the rooms lets one module import another."""
    mine, theirs = level(name), level(other)
    if mine is None:  # a package's own files: `__main__` starts the last room, `__init__` is bare
        return name.endswith(".__main__") and name.split(".")[0] >= other.split(".")[0]
    if theirs is None:
        return other in list(ORDER)[: mine[0] + 1]
    return mine == theirs or mine[:2] > theirs[:2]


def test_every_module_stands_in_a_room_of_the_order() -> None:
    outside = {name for name in modules() if level(name) is None}
    assert outside == {*ORDER, *(f"{package}.__main__" for package in ORDER)}, "name a new room in ORDER"


def test_no_import_goes_against_the_order_of_the_rooms() -> None:
    against = [
        f"{modules()[name].relative_to(SRC)}:{line} imports {other}"
        for name in modules()
        for line, other in imported(name)
        if not allowed(name, other)
    ]
    assert against == []


@pytest.mark.parametrize(
    ("name", "other", "right"),
    [
        ("tcm.commands.score", "tcm.metrics.batch", True),
        ("tcm.metrics.batch", "tcm.metrics.case", True),
        ("tcm.metrics.batch", "tcm.sources.own", False),
        ("tcm.knowledge.names", "tcm.answers", False),
        ("tcm_rlaif.models.tiny", "tcm.invented.corpus", True),
        ("tcm.invented.corpus", "tcm_rlaif.models.prompts", False),
        ("tcm_rlaif.feedback.labels", "tcm_rlaif.training.sft", False),
        ("tcm_rlaif.study.stage", "tcm_rlaif", True),
        ("tcm.metrics.batch", "tcm_rlaif", False),
        ("tcm_rlaif.report.page", "tcm_rlaif.__main__", False),
        ("tcm.__main__", "tcm_rlaif.runner.cli", False),
    ],
)
def test_the_order_tells_right_from_wrong(name: str, other: str, right: bool) -> None:
    assert allowed(name, other) is right


def test_imports_inside_functions_for_types_and_relative_ones_are_seen(tmp_path, monkeypatch) -> None:
    code = (
        "if TYPE_CHECKING:\n    from tcm_rlaif.study.schema import Params\n"
        "def late():\n    import tcm.metrics.batch\n    from . import rows\n    from tcm import files\n"
    )
    (tmp_path / "names.py").write_text(code, "utf-8")
    monkeypatch.setitem(modules(), "tcm.knowledge.names", tmp_path / "names.py")
    seen = [other for _, other in sorted(imported("tcm.knowledge.names"))]
    assert seen == ["tcm_rlaif.study.schema", "tcm.metrics.batch", "tcm.knowledge.rows", "tcm.files"]


def test_no_modules_import_each_other_in_a_circle() -> None:
    users = {name: {other for _, other in imported(name)} - {name} for name in modules()}
    try:
        TopologicalSorter(users).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(reversed(error.args[1]))}")


def test_the_domain_brings_neither_torch_nor_notebooks_along() -> None:
    names = [name for name in modules() if level(name) and name.startswith("tcm.")]
    code = f"import importlib, sys, tcm; [importlib.import_module(n) for n in {names}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {name.partition(".")[0] for name in done.stdout.split()} & {*HEAVY, "tcm_rlaif"} == set()


@pytest.mark.parametrize("name", modules())
def test_a_module_is_short_and_says_what_it_is_for(name: str) -> None:
    text = modules()[name].read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), "the docstring says what the module is for"
