"""Every judgement is written down the moment it is finished, so that nothing is lost and nothing is paid for twice.

One JSON object a line, only ever appended. A process killed at any point loses at most the requests in flight: each
line is flushed to the disk before the next question is taken up, and a line torn by the kill is dropped on reading.
"""

import fcntl
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from tcm_rlaif.feedback.judges.base import JUDGED, Judge, Question, Reply


def question_key(judge: Judge, question: Question) -> str:
    """Name under which a judgement is stored: sha256 over everything that could change it.

    The judge's identity (name, model, prompt version, settings), the mode, the case with its input, the candidate
    texts in the order shown, and the number of the repeat. The gold answer counts only where the judge sees it, and
    then the identity says so.
    """
    seen = question.case.model_dump(mode="json", exclude_defaults=True)
    if judge.identity(question.mode).get("sees_gold") != "yes":
        seen.pop("answer", None)
    record = [judge.name, judge.identity(question.mode), question.mode, seen, question.texts, question.repeat]
    return hashlib.sha256(json.dumps(record, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


class Cache:
    """Stored judgements of one file.

    Args:
        path: JSON lines; made when the first judgement comes.

    Attributes:
        torn_lines: lines that were no complete record and were ignored.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.torn_lines = 0
        self._lock = Lock()
        self._ends_clean = True
        self._replies: dict[str, Reply] = {}
        self._spent: dict[str, list[int]] = {}
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        data = self.path.read_bytes()
        self._ends_clean = not data or data.endswith(b"\n")
        for line in data.split(b"\n"):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                reply = Reply(**(record["reply"] | {"values": tuple(record["reply"]["values"])}))
                key, judge = record["key"], record["judge"]
            except (ValueError, KeyError, TypeError):
                self.torn_lines += 1
                continue
            self._keep(key, judge, reply)

    def _keep(self, key: str, judge: str, reply: Reply) -> None:
        known = self._replies.get(key)
        if known is None or known.status != JUDGED:
            self._replies[key] = reply
        spent = self._spent.setdefault(judge, [0, 0])
        spent[0] += reply.requests
        spent[1] += reply.tokens

    def get(self, key: str, replay: bool = False) -> Reply | None:
        """The stored reply. A stored failure is given back only in replay, else it is worth another try."""
        reply = self._replies.get(key)
        return reply if reply is not None and (reply.status == JUDGED or replay) else None

    def add(self, key: str, judge: Judge, question: Question, reply: Reply) -> None:
        """Append a finished judgement and force it to the disk."""
        identity = judge.identity(question.mode)
        record = {"key": key, "judge": judge.name, "identity": identity, "mode": question.mode,
                  "case_id": question.case.id, "repeat": question.repeat, "reply": asdict(reply)}  # fmt: skip
        line = json.dumps(record, ensure_ascii=False) + "\n"
        with self._lock:
            self._keep(key, judge.name, reply)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write((line if self._ends_clean else "\n" + line).encode())
                file.flush()
                os.fsync(file.fileno())
            self._ends_clean = True

    def spent(self, judge_name: str) -> tuple[int, int]:
        """Requests and tokens that the file records for a judge, failures included; a budget covers them too."""
        requests, tokens = self._spent.get(judge_name, (0, 0))
        return requests, tokens

    def judged(self) -> int:
        """How many questions have a valid judgement in store."""
        return sum(r.status == JUDGED for r in self._replies.values())
