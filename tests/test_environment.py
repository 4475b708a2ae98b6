"""pyproject.toml, constraints.txt, environment.yml and ./study say the same, and the code imports no more than that."""

import ast
import fnmatch
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    """All direct dependencies, those of the extras included."""
    core, extras = project()["project"]["dependencies"], project()["project"]["optional-dependencies"]
    return [Requirement(line) for line in [*core, *(line for lines in extras.values() for line in lines)]]


def constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def pins(python: str) -> dict[str, str]:
    """Package to version, as constraints.txt has it for Linux and one version of Python."""
    machine = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    wanted = [line for line in constraints() if line.marker is None or line.marker.evaluate(machine)]
    return {canonicalize_name(line.name): next(iter(line.specifier)).version for line in wanted}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_each_direct_dependency_is_pinned_inside_its_range(requirement: Requirement, python: str) -> None:
    version = pins(python).get(canonicalize_name(requirement.name))
    assert version, f"{requirement.name} is not in constraints.txt; its first lines say how to generate it again"
    assert version in requirement.specifier


def test_constraints_hold_exact_public_versions_and_no_addresses() -> None:
    for line in constraints():
        specifier = next(iter(line.specifier))
        assert len(line.specifier) == 1 and specifier.operator == "==" and line.url is None, line
        assert "+" not in specifier.version, f"{line}: a local version is not to be had everywhere"
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_torch_is_the_only_exact_pin_and_the_same_everywhere() -> None:
    exact = [str(r) for r in requirements() if any(s.operator == "==" for s in r.specifier)]
    assert exact == ["torch==2.13.0"]
    assert {pins(python)["torch"] for python in PYTHONS} == {"2.13.0"}


def test_conda_users_get_the_same_pins() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, packages = environment["dependencies"]
    assert pip == "pip" and packages == {"pip": ["-c constraints.txt", "-e .[lab,test]"]}
    assert python == "python=3.11" and "3.11" in SpecifierSet(project()["project"]["requires-python"])
    assert {"lab", "test"} == set(project()["project"]["optional-dependencies"])


def test_study_admits_the_pythons_that_the_package_admits() -> None:
    loader = importlib.machinery.SourceFileLoader("study_script", str(ROOT / "study"))
    study = importlib.util.module_from_spec(importlib.util.spec_from_loader("study_script", loader))
    loader.exec_module(study)
    admitted = SpecifierSet(project()["project"]["requires-python"])
    inside = [f"3.{minor}" for minor in range(5, 25) if study.OLDEST <= (3, minor) <= study.NEWEST]
    assert inside == [f"3.{minor}" for minor in range(5, 25) if f"3.{minor}" in admitted] == list(PYTHONS)
    extras = {extra for _, _, extra in study.COMMANDS.values()}
    assert extras == {"", *project()["project"]["optional-dependencies"]}


def test_these_tests_run_on_the_pinned_versions() -> None:
    python = ".".join(map(str, sys.version_info[:2]))
    installed = {canonicalize_name(d.name): d.version for d in importlib.metadata.distributions() if d.name}
    pinned = pins(python)
    wrong = {name: (installed[name], pinned[name]) for name in pinned.keys() & installed.keys()}
    wrong = {name: pair for name, pair in wrong.items() if pair[0].split("+")[0] != pair[1]}
    assert not wrong, f"installed and pinned versions differ; ./study setup brings .venv up to date: {wrong}"


WITHOUT_PIN = {"vllm"}  # asked for by a parameter, in an environment of its own: its pins fight those of the rest


def test_each_imported_package_is_a_direct_dependency() -> None:
    owners = importlib.metadata.packages_distributions()
    declared = {canonicalize_name(r.name) for r in requirements()}
    undeclared = set()
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for module in imported(node) - sys.stdlib_module_names - {"tcm", "tcm_rlaif"} - WITHOUT_PIN:
                names = {canonicalize_name(owner) for owner in owners.get(module, [module])}
                if not names & declared:
                    undeclared.add(f"{path.relative_to(ROOT)}:{node.lineno} imports {module}")
    assert not undeclared, f"name these in pyproject.toml: {sorted(undeclared)}"


def imported(node: ast.AST) -> set[str]:
    """Top-level modules that an import statement asks for."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {node.module.split(".")[0]}
    return set()


@pytest.mark.parametrize("name", ["tcm", "tcm_rlaif"])
def test_each_data_file_of_a_package_is_installed_with_it(name: str) -> None:
    package, patterns = ROOT / "src" / name, project()["tool"]["setuptools"]["package-data"][name]
    files = [p for p in package.rglob("*") if p.is_file() and p.suffix != ".py" and "__pycache__" not in p.parts]
    data = [p.relative_to(package).as_posix() for p in files]
    assert data and all(any(fnmatch.fnmatch(name, pattern) for pattern in patterns) for name in data), data


def test_ruff_finds_nothing_in_code_and_notebooks() -> None:
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_names_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    home = re.compile(r"/(?:root|home/\w+|Users/\w+)/")
    files = [ROOT / name for name in listed.stdout.split("\0") if name and name != "tests/test_environment.py"]
    texts = {f: f.read_bytes().decode("utf-8", "ignore") for f in files if f.is_file()}
    assert [str(f.relative_to(ROOT)) for f, text in texts.items() if home.search(text)] == []
