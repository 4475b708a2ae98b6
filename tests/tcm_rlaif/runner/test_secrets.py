"""A key that a judge is asked with stays out of all that a study writes and shows, and nobody but the judge is asked.

One study with a judge on loopback: first the server refuses the key, then it judges and repeats every secret it got.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import blocked_sockets
import psutil
import pytest
import yaml
from faulty_proxy import judgement
from judge_stub import chat, refusal, stub

from tcm_rlaif.study import params
from tcm_rlaif.study.params import ROOT, SNAPSHOT

STUDY = "secrets_test"
FOLDER, REPORTS = ROOT / "runs" / STUDY, ROOT / "reports" / STUDY
KEY = "sk-planted-7f3Kq9vTz2LmX8wRbY4n"
USER, PASSWORD, QUERY = "zhangwei-judge", "pa55-worT-geheim", "q-kEy-4711-0815"
SECRETS = (KEY, KEY[:16], KEY[-16:], USER, PASSWORD, QUERY)
ECHO = f"{KEY} {KEY[:18]}… …{KEY[-18:]} {USER}:{PASSWORD}@ api-key={QUERY} {'长' * 290}{KEY}"
ENVIRONMENT = {
    **os.environ,
    "PLANTED_KEY": KEY,
    "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
}
SMALL = {
    "study": STUDY, "data_cases": 40, "data_unlabelled": 4,
    "data_allow_few": True, "audit_cases": 4, "candidate_max_new_tokens": 48, "eval_max_new_tokens": 48,
    "judge": ["openai"], "judge_mode": "pointwise", "judge_model": "m", "judge_key_variable": "PLANTED_KEY",
    "judge_max_retries": 0, "arms": {"base": {"training": "none"}, "dpo_only": {"training": "dpo"}}, "probe_arms": [],
}  # fmt: skip


def run(path: Path, offline: dict[str, str]) -> dict:
    """Run the study; what it says, and every command line among its processes."""
    command = [sys.executable, "-m", "tcm_rlaif", "run", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT | offline, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    seen: set[str] = set()

    def watch() -> None:
        while process.poll() is None:
            for child in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    seen.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.communicate(timeout=900)[0]
    watcher.join()
    return {"code": process.returncode, "output": output, "seen": seen}


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """The study with a server that refuses the key, and again with one that repeats it."""
    path, started = tmp_path_factory.mktemp("params") / "mine.yaml", time.time()
    blocked = tmp_path_factory.mktemp("blocked")
    offline = blocked_sockets.environment(blocked)
    refuses = [True]

    def answer(body: dict, number: int) -> tuple[int, dict]:
        if refuses[0]:
            return refusal(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key")
        return chat(json.dumps(judgement(body["messages"]) | {"reason": ECHO}, ensure_ascii=False))

    shutil.rmtree(FOLDER, ignore_errors=True)
    with stub(answer) as (host, requests):
        url = f"http://{USER}:{PASSWORD}@{host}/v1?api-key={QUERY}"
        smoke = params.read_yaml("params/smoke.yaml")
        path.write_text(yaml.safe_dump({**smoke, **SMALL, "judge_base_url": url}), "utf-8")
        refused = run(path, offline)
        refuses[0] = False
        judged = run(path, offline)
    asked = blocked_sockets.attempts(blocked)
    yield {"refused": refused, "judged": judged, "started": started, "requests": requests, "path": path, "asked": asked}
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(REPORTS, ignore_errors=True)


def test_a_key_that_is_refused_ends_in_one_line_that_says_so_and_what_to_do(studied):
    assert studied["refused"]["code"] != 0
    said = [line for line in studied["refused"]["output"].splitlines() if "answers 401" in line]
    assert said and all("the environment variable PLANTED_KEY" in line for line in said)


def test_the_study_then_goes_on_and_the_key_was_sent(studied):
    assert studied["judged"]["code"] == 0, studied["judged"]["output"][-3000:]
    assert all(request["path"].endswith(f"api-key={QUERY}") for request in studied["requests"])
    stored = list(FOLDER.rglob("judgements.jsonl"))
    assert stored and all("***" in path.read_text("utf-8") for path in stored)


def test_no_other_machine_is_asked(studied):
    assert studied["asked"] == ""


def test_what_blocks_sockets_blocks_them(tmp_path):
    call = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/', timeout=5)"
    environment = {**os.environ, **blocked_sockets.environment(tmp_path)}
    assert subprocess.run([sys.executable, "-c", call], env=environment, capture_output=True).returncode
    assert "192.0.2.1" in blocked_sockets.attempts(tmp_path)


def test_no_secret_is_printed_or_among_the_processes(studied):
    shown = studied["refused"]["output"] + studied["judged"]["output"]
    shown += "\n".join(studied["refused"]["seen"] | studied["judged"]["seen"])
    assert [secret for secret in SECRETS if secret in shown] == []


def written(places: list[Path], since: float) -> Iterator[tuple[Path, bytes]]:
    """Files that were written since then, and what they hold; other tests may work, and remove some, beside this."""
    for path in (path for place in places for path in place.rglob("*")):
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime >= since:
                yield path, path.read_bytes()


def test_no_file_holds_a_secret_but_the_parameters_that_later_runs_need(studied):
    places = [FOLDER, REPORTS, ROOT / ".snakemake", ROOT / "runs" / "cache", ROOT / "notebooks"]
    files = dict(written(places, studied["started"]))
    assert len(files) > 20 and any(".snakemake" in f.parts for f in files)
    found = {f.relative_to(ROOT): s for f, content in files.items() for s in SECRETS if s.encode() in content}
    assert set(found) <= {(FOLDER / SNAPSHOT).relative_to(ROOT)}  # the address; the key stands in the environment alone
    assert KEY not in (FOLDER / SNAPSHOT).read_text("utf-8")


def test_parameters_are_shown_without_the_secrets_of_the_address(studied):
    command = [sys.executable, "-m", "tcm_rlaif", "params", str(studied["path"])]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert re.search(r"judge_base_url: .*->  http://127\.0\.0\.1:[0-9]+/v1\n", shown)
    assert [secret for secret in SECRETS if secret in shown] == []


def test_what_a_study_writes_is_the_users_alone(studied):
    open_to_others = [p for place in (FOLDER, REPORTS) for p in place.rglob("*") if p.stat().st_mode & 0o077]
    assert open_to_others == []
    assert FOLDER.stat().st_mode & 0o077 == REPORTS.stat().st_mode & 0o077 == 0
