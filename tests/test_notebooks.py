"""Notebooks as committed: readable sections without outputs, with logic in the package (read as JSON, no kernel)."""

import ast
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from tcm_rlaif.runner.notebook import declared_parameters

ROOT = Path(__file__).resolve().parents[1]
FOUND = sorted((ROOT / "notebooks").glob("*.ipynb"))
STAGES = (
    "00_base_model",
    "01_data_prep",
    "02_sft",
    "03_rlaif_labels",
    "04_dpo",
    "05_evaluate",
    "06_ablation",
    "07_probes",
)
each_notebook = pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def nodes(path: Path) -> list[ast.AST]:
    """Every syntax node of a notebook's code; a magic or shell line is a SyntaxError."""
    return [node for cell in code_cells(path) for node in ast.walk(ast.parse(cell.source))]


def test_the_stages_are_there_in_order() -> None:
    assert tuple(path.stem for path in FOUND if path.stem[0].isdigit()) == STAGES


@each_notebook
def test_it_is_a_valid_notebook_for_the_python3_kernel_of_any_environment(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    kernel = notebook.metadata.kernelspec
    assert (kernel.name, kernel.language) == ("python3", "python"), "bare papermill -p asks for the language"
    assert "papermill" not in notebook.metadata and "widgets" not in notebook.metadata


@each_notebook
def test_no_output_and_no_count_is_committed(path: Path) -> None:
    ran = [cell.source[:40] for cell in code_cells(path) if cell.outputs or cell.execution_count]
    assert ran == [], "jupyter nbconvert --clear-output --inplace clears them"


@each_notebook
def test_one_tagged_cell_holds_the_parameters_as_literals(path: Path) -> None:
    declared = declared_parameters(path)
    assert declared or path.stem not in STAGES
    tags = Counter(tag for cell in nbformat.read(path, 4).cells for tag in cell.metadata.get("tags", []))
    assert tags["parameters"] == 1 and tags["injected-parameters"] == 0


@each_notebook
def test_it_reads_like_a_section_of_a_paper(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    first = notebook.cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# "), "a title and a question come first"
    kinds = "".join(cell.cell_type[0] for cell in notebook.cells)
    assert "ccc" not in kinds, "prose belongs at least before every second code cell"
    assert all(cell.source.strip() for cell in notebook.cells), "no empty cell"


@each_notebook
def test_cells_are_short_and_hold_no_machinery(path: Path) -> None:
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= 25, cell.source[:80]
    for node in nodes(path):
        assert not isinstance(node, ast.ClassDef), f"class {node.name} belongs into the package"
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 10, f"def {node.name} belongs into the package"


def test_no_function_is_defined_in_two_notebooks() -> None:
    names = Counter(node.name for path in FOUND for node in nodes(path) if isinstance(node, ast.FunctionDef))
    assert [name for name, times in names.items() if times > 1] == []


@each_notebook
def test_it_never_ends_early_and_builds_no_html_of_its_own(path: Path) -> None:
    called = {ast.unparse(node.func) for node in nodes(path) if isinstance(node, ast.Call)}
    assert not called & {"sys.exit", "exit", "quit", "os._exit"}, "papermill would call the notebook done"
    assert not [name for name in called if re.fullmatch(r"(.*\.)?(HTML|Javascript|SVG|IFrame)|eval|exec", name)]
    assert not [name for name in called if name.endswith((".style.format", ".to_html"))], "use tcm_rlaif.report.show"


@each_notebook
def test_it_names_no_place_on_one_machine(path: Path) -> None:
    texts = [node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in texts if re.match(r"/\w|~|[A-Za-z]:\\", text)] == []


@each_notebook
def test_it_imports_the_packages_rather_than_other_notebooks(path: Path) -> None:
    imported = {n.module or "" for n in nodes(path) if isinstance(n, ast.ImportFrom)}
    imported |= {alias.name for n in nodes(path) if isinstance(n, ast.Import) for alias in n.names}
    assert [name for name in imported if name.startswith("tcm_rlaif")] or path.stem not in STAGES
    assert not [name for name in imported if name.split(".")[0] in ("notebooks", "nbimporter", "import_ipynb")]


def test_nothing_but_the_show_module_builds_html_for_display() -> None:
    sources = {p: p.read_text(encoding="utf-8") for p in [*(ROOT / "src").rglob("*.py"), *FOUND]}
    risky = re.compile(r"escape\s*=\s*False|\bHTML\(|(?<!report)\.to_html\(|Markup\(")
    assert [path.name for path, text in sources.items() if risky.search(text)] == []
