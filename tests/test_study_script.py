"""./study: what it prints, when it installs, and that an install which was cut short is never taken for done.

The script runs as users run it, in a copy of a checkout whose `.venv/bin/python` is a stand-in that writes down how it
was called. So nothing is installed, and every rule about *when* pip runs is tested through the real script.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stub_project import read_all

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = '[project]\nname = "x"\ndependencies = [\n  "torch==9.9.9",\n  "numpy",\n]\n'
STAND_IN = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
  *--dry-run*) exit ${{NO_CPU_BUILD:-0}} ;;
  *"pip install"*) sleep ${{PIP_SECONDS:-0}}; exit ${{PIP_STATUS:-0}} ;;
esac
"""


class Checkout:
    """A folder with ./study in it and a stand-in for its environment's Python."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "calls.log"
        folder.mkdir()
        shutil.copy(ROOT / "study", folder)
        (folder / "pyproject.toml").write_text(PYPROJECT)
        (folder / "constraints.txt").write_text("numpy==2.4.6\n")

    def stand_in(self) -> "Checkout":
        python = self.folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(STAND_IN.format(log=self.log))
        python.chmod(0o755)
        return self

    def start(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen:
        plain = {k: v for k, v in os.environ.items() if k not in ("TORCH_INDEX_URL", "PYTHONPATH")}
        return subprocess.Popen(
            [sys.executable, str(self.folder / "study"), *arguments],
            env={**plain, **environment},
            cwd=cwd or self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # a shell that runs the tests in the background has its children ignore SIGINT
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str, **options: str) -> subprocess.CompletedProcess:
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def calls(self) -> list[str]:
        """How the environment's Python was called so far; forgets them."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines

    def installs(self) -> list[str]:
        return [line for line in self.calls() if "pip install" in line and "--dry-run" not in line]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout").stand_in()


@pytest.fixture
def no_nvidia(tmp_path: Path) -> dict[str, str]:
    """An environment without NVIDIA's driver, wherever the tests run."""
    return {"PATH": fake_nvidia_smi(tmp_path, status=1)}


def fake_nvidia_smi(folder: Path, status: int) -> str:
    """A PATH on which nvidia-smi ends with that status."""
    tools = folder / f"tools{status}"
    tools.mkdir()
    (tools / "nvidia-smi").write_text(f"#!/bin/sh\nexit {status}\n")
    (tools / "nvidia-smi").chmod(0o755)
    return f"{tools}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_alone_it_prints_its_commands_one_line_each_and_installs_nothing(tmp_path: Path, arguments: tuple) -> None:
    checkout = Checkout(tmp_path / "checkout")
    done = checkout.run(*arguments)
    assert done.returncode == 0 and not (checkout.folder / ".venv").exists()
    for command in (
        "run [PARAMS]",
        "test",
        "lab",
        "notebook NAME [PARAMS]",
        "score",
        "audit",
        "report STUDY",
        "params",
    ):
        assert [line for line in done.stdout.splitlines() if line.startswith(f"  ./study {command}")], command
    assert all(len(line) <= 120 for line in done.stdout.splitlines())


def test_each_command_of_the_package_is_one_of_the_launcher(tmp_path: Path) -> None:
    from tcm_rlaif.runner.cli import parser

    lines = Checkout(tmp_path / "checkout").run().stdout.splitlines()
    offered = {line.split()[1] for line in lines if line.startswith("  ./study ")}
    assert set(re.findall(r"^    ([a-z]+) ", parser().format_help(), re.MULTILINE)) <= offered


def test_each_command_that_is_passed_on_is_one_of_the_package(tmp_path: Path) -> None:
    from tcm_rlaif.runner.cli import parser

    lines = Checkout(tmp_path / "checkout").run().stdout.splitlines()
    offered = {line.split()[1] for line in lines if line.startswith("  ./study ")}
    assert len(offered) > 5
    for command in offered - {"test", "lab", "setup"}:
        assert re.search(rf"^    {command} ", parser().format_help(), re.MULTILINE), command


def test_an_unknown_command_gets_the_nearest_one_and_installs_nothing(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    done = checkout.run("tset")
    assert done.returncode == 2 and "did you mean 'test'?" in done.stderr
    assert not (checkout.folder / ".venv").exists()


def test_the_first_call_installs_torch_first_and_alone_then_the_rest_then_runs(checkout: Checkout, no_nvidia) -> None:
    done = checkout.run("run", "params/smoke.yaml", **no_nvidia)
    assert done.returncode == 0, done.stderr
    pip = "-m pip install --disable-pip-version-check"
    assert checkout.calls() == [
        "-m pip --version",
        f"{pip} --dry-run --no-deps torch==9.9.9+cpu",
        f"{pip} torch==9.9.9+cpu",
        f"{pip} --constraint {checkout.folder}/constraints.txt --editable {checkout.folder}",
        "-P -m tcm_rlaif run params/smoke.yaml",
    ]


def test_the_second_call_goes_straight_to_the_command(checkout: Checkout) -> None:
    checkout.run("run")
    checkout.calls()
    done = checkout.run("score", "answers.jsonl", "--to", "a b", cwd=checkout.folder.parent)
    assert checkout.calls() == ["-P -m tcm_rlaif score answers.jsonl --to a b"]
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_dependency_file_brings_the_environment_up_to_date(checkout: Checkout, name: str) -> None:
    checkout.run("setup")
    assert len(checkout.installs()) == 2
    with (checkout.folder / name).open("a") as file:
        file.write("# changed\n")
    checkout.run("setup")
    assert len(checkout.installs()) == 2
    checkout.run("setup")
    assert checkout.installs() == []


def test_a_moved_checkout_is_installed_again(checkout: Checkout) -> None:
    checkout.run("setup")
    checkout.calls()
    moved = checkout.folder.rename(checkout.folder.parent / "moved")
    (moved / ".venv" / "bin" / "python").write_text(STAND_IN.format(log=moved / "calls.log"))
    checkout.folder, checkout.log = moved, moved / "calls.log"
    checkout.run("setup")
    assert checkout.installs()[1].endswith(f"--editable {moved}")


def test_extras_are_installed_on_demand_and_kept(checkout: Checkout) -> None:
    assert checkout.run("test", "-q").returncode == 0
    *_, install, command = checkout.calls()
    assert install.endswith(f"{checkout.folder}[test]") and command == "-m pytest -q"
    checkout.run("test")
    assert checkout.calls() == ["-m pytest -n 2"], "all tests: two workers share them"
    checkout.run("lab")
    *_, install, command = checkout.calls()
    assert install.endswith(f"{checkout.folder}[lab,test]") and command == "-m jupyterlab"
    for command in ("test", "lab", "run"):
        checkout.run(command)
    assert checkout.installs() == []


def test_a_failed_step_is_named_and_the_next_call_installs_again(checkout: Checkout) -> None:
    done = checkout.run("run", PIP_STATUS="1")
    assert done.returncode == 2 and "this step failed (exit status 1)" in done.stderr
    assert not any("tcm_rlaif run" in call for call in checkout.calls())
    assert checkout.run("run").returncode == 0 and len(checkout.installs()) == 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_an_interrupted_install_is_not_taken_for_done(checkout: Checkout, name: str) -> None:
    process = checkout.start("run", PIP_SECONDS="120")
    wait_for(lambda: checkout.log.exists() and "-check torch" in checkout.log.read_text())
    os.killpg(process.pid, getattr(signal, name))
    process.communicate(timeout=60)
    assert process.returncode not in (0, None) and not (checkout.folder / ".venv" / ".stamp").exists()
    checkout.calls()
    assert checkout.run("run").returncode == 0 and len(checkout.installs()) == 2


def test_an_install_shows_how_long_and_what_pip_is_at_and_what_it_said_where_it_fails(checkout: Checkout) -> None:
    python = checkout.folder / ".venv" / "bin" / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *dry-run*|*--version*) exit 0 ;; esac\n'
        "echo Collecting wheel; echo 'Downloading torch (186 MB)'; sleep 1.5; echo 'no such version' >&2; exit 1\n"
    )
    shown, terminal = os.openpty()
    process = subprocess.Popen([sys.executable, str(checkout.folder / "study"), "setup"], stderr=terminal)
    os.close(terminal)
    said = read_all(shown)
    assert process.wait(timeout=120) == 2
    assert re.search(r"\r\033\[Kstudy: \d s, 1 packages; Downloading torch \(186 MB\)", said)
    assert "no such version" in said and "this step failed (exit status 1)" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_install_that_is_told_to_stop_takes_pip_with_it(checkout: Checkout, number: int) -> None:
    process = checkout.start("setup", PIP_SECONDS="120")
    wait_for(lambda: checkout.log.exists() and "-check torch" in checkout.log.read_text())
    process.send_signal(number)
    assert process.wait(timeout=60) == 128 + number
    pip = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True).stdout.split()
    assert [p for p in pip if "python" in Path(f"/proc/{p}/cmdline").read_text()] == []


STARTING = """
import os, runpy, signal, subprocess, sys
from pathlib import Path

class Popen(subprocess.Popen):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        print(self.pid, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

step = runpy.run_path(sys.argv[1])["install_step"]
subprocess.Popen, step.__globals__["LOG"] = Popen, Path(sys.argv[2])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
step("installing", ["sleep", "120"])
"""


def test_an_install_that_is_told_to_stop_while_pip_starts_takes_pip_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTING, ROOT / "study", tmp_path / "log"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 143, done.stderr
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_an_interrupted_update_of_a_finished_environment_is_not_taken_for_done(checkout: Checkout) -> None:
    checkout.run("setup")
    assert checkout.run("test", PIP_STATUS="1").returncode == 2
    checkout.calls()
    checkout.run("run")
    assert len(checkout.installs()) == 2


def test_two_calls_at_once_install_once(checkout: Checkout) -> None:
    both = [checkout.start("setup", PIP_SECONDS="0.5") for _ in range(2)]
    messages = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], messages
    assert len(checkout.installs()) == 2, "torch once, the rest once"


@pytest.mark.parametrize(
    ("nvidia_status", "environment", "expected"),
    [
        (0, {}, "torch==9.9.9,!=9.9.9+cpu"),
        (1, {}, "torch==9.9.9+cpu"),
        (1, {"NO_CPU_BUILD": "1"}, "torch==9.9.9"),
        (1, {"TORCH_INDEX_URL": "https://w.example/cpu"}, "--extra-index-url https://w.example/cpu torch==9.9.9"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has CUDA builds of torch by default")
def test_torch_comes_in_the_build_that_suits_the_machine(
    checkout: Checkout, tmp_path: Path, nvidia_status: int, environment: dict, expected: str
) -> None:
    done = checkout.run("setup", PATH=fake_nvidia_smi(tmp_path, nvidia_status), **environment)
    assert checkout.installs()[0] == f"-m pip install --disable-pip-version-check {expected}"
    assert ("TORCH_INDEX_URL" in done.stderr) == (environment == {"NO_CPU_BUILD": "1"})


def test_a_broken_environment_is_made_anew_with_the_real_venv_module(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    (checkout.folder / ".venv" / "bin").mkdir(parents=True)
    (checkout.folder / ".venv" / "bin" / "python").symlink_to("python-that-was-removed")
    done = checkout.run("setup", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert "making" in done.stderr and "this step failed" in done.stderr and done.returncode == 2
    version = subprocess.run([checkout.folder / ".venv" / "bin" / "python", "-m", "pip", "--version"])
    assert version.returncode == 0 and not (checkout.folder / ".venv" / ".stamp").exists()


def test_an_unsupported_python_is_told_which_to_install(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    script = (checkout.folder / "study").read_text().replace("(3, 11), (3, 13)", "(3, 90), (3, 91)")
    (checkout.folder / "study").write_text(script)
    done = checkout.run("run")
    assert done.returncode == 2 and "needs one of python3.90, python3.91 on the PATH" in done.stderr


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "ensurepip.py").write_text("raise ImportError('left out', name='ensurepip')")
    done = checkout.run("run", PYTHONPATH=str(hidden))
    assert done.returncode == 2 and "no module 'ensurepip'" in done.stderr and "-venv" in done.stderr


def wait_for(condition, seconds: float = 120) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
