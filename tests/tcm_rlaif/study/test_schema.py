"""Every key is documented, belongs to one notebook, is read somewhere, and is shadowed by no variable of a notebook."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from tcm_rlaif.study import params
from tcm_rlaif.study.keys import OURS
from tcm_rlaif.study.notebooks import NOTEBOOKS
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import STAGES, stage_of
from tcm_rlaif.study.schema import Params

NOTEBOOK_FILES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
STUDY_KEYS = {"study", "seeds", "arm_seeds", "sizes", "arms", "training", "gpus", "report_to", "accelerate"}


def code_cells(path: Path) -> list[dict]:
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]


def source_of(cell: dict) -> str:
    return "".join(cell["source"])


def test_every_key_says_what_it_means_and_where_its_default_comes_from() -> None:
    rows = params.documentation()
    assert [r["key"] for r in rows] == list(Params.model_fields)
    assert [r["key"] for r in rows if len(r["meaning"]) < 8 or "unit" not in r] == []
    assert [r["key"] for r in rows if OURS not in r["source"] and "arXiv" not in r["source"]] == []


def test_no_meaning_has_a_stray_blank() -> None:
    assert [r["key"] for r in params.documentation() if r["meaning"] != r["meaning"].strip()] == []


def test_every_key_belongs_to_exactly_one_stage_or_to_the_study() -> None:
    assert {name for name in Params.model_fields if stage_of(name) is None} == STUDY_KEYS
    prefixes = [p for notebook in NOTEBOOKS.values() for p in notebook.keys]
    owners = {n: [p for p in prefixes if n.startswith(p)] for n in Params.model_fields if n not in STUDY_KEYS}
    assert {n: p for n, p in owners.items() if len(p) != 1} == {}


@cache
def read_anywhere() -> frozenset[str]:
    """Every `P.key` in the package and the notebooks."""
    package = [p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py") if p.name != "schema.py"]
    cells = [source_of(c) for path in NOTEBOOK_FILES for c in code_cells(path)]
    return frozenset(re.findall(r"\b(?:P|PA|study)\.(\w+)\b", "\n".join(package + cells)))


def test_every_key_is_read_somewhere() -> None:
    assert set(Params.model_fields) - read_anywhere() == set()


@pytest.mark.parametrize("path", NOTEBOOK_FILES, ids=lambda p: p.stem)
def test_a_notebook_reads_no_key_of_a_later_stage(path: Path) -> None:
    read = set(re.findall(r"\bP\.(\w+)", "\n".join(map(source_of, code_cells(path)))))
    stages = {name: stage_of(name) for name in read & set(Params.model_fields)}
    assert {n for n, stage in stages.items() if stage and STAGES.index(stage) > STAGES.index(path.stem)} == set()


SCOPES = ast.FunctionDef | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def assigned_names(path: Path) -> set[str]:
    """Names that the cells after the parameters cell leave behind in the notebook."""
    names = set()
    for cell in code_cells(path):
        if "parameters" in cell["metadata"].get("tags", []):
            continue
        tree = ast.parse(source_of(cell))
        inner = {
            id(n)
            for scope in ast.walk(tree)
            if isinstance(scope, SCOPES)
            for n in ast.walk(scope)
            if not isinstance(n, ast.NamedExpr)
        }
        stored = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        names |= {n.id for n in stored if id(n) not in inner}
    return names


# in 06_ablation `study` is a Params object, which `stage.given_parameters` never takes for a parameter
HARMLESS = {"study"}


@pytest.mark.parametrize(
    "path",
    NOTEBOOK_FILES,
    ids=lambda p: p.stem,
)
def test_no_variable_of_a_notebook_is_named_like_a_key(path: Path) -> None:
    assert assigned_names(path) & set(Params.model_fields) - HARMLESS == set()


def test_the_parameters_cell_of_every_notebook_names_only_file_arm_and_seed() -> None:
    for path in NOTEBOOK_FILES:
        (cell,) = [c for c in code_cells(path) if "parameters" in c["metadata"].get("tags", [])]
        names = {t.id for node in ast.parse(source_of(cell)).body for t in node.targets}
        assert {"params_file"} <= names <= {"params_file", "arm", "seed"}, path.name
