"""Labels: what the judges say of the candidates, each judgement kept in a file as soon as it is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tcm.cases import Case
from tcm.files import read_json, read_rows, write_json
from tcm_rlaif.feedback.cache import Cache
from tcm_rlaif.feedback.judges.base import Item, Judge, Verdict, items_of, said_of
from tcm_rlaif.feedback.labelling import JudgeReport, judge_items
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.study.schema import Params


@dataclass(frozen=True)
class Feedback:
    """What a way of learning may learn from.

    Args:
        items: prompts with the candidates sampled for them.
        verdicts: what the judges say of them, one per item.
        answered: cases whose physicians' answers SFT sees.
        prompter: what the cases were asked with.
    """

    items: Sequence[Item]
    verdicts: Sequence[Verdict]
    answered: Sequence[Case]
    prompter: Prompter = PLAIN

    @property
    def scored(self) -> list[tuple[Item, list[tuple[str, float]]]]:
        """Each item with its candidates that ended and have a score, in the order sampled."""
        return [
            (item, [(t, s) for t, s, ended in said_of(item, verdict) if ended and s is not None])
            for item, verdict in zip(self.items, self.verdicts, strict=True)
        ]


def cache(folder: Path) -> Cache:
    """The store of judgements of one run; a killed run finds there what it had."""
    return Cache(folder / "judgements.jsonl")


def judge(judges: Sequence[Judge], items: Sequence[Item], P: Params, folder: Path) -> JudgeReport:
    """Judge all items in the mode that the parameters name."""
    return judge_items(judges, items, mode=P.judge_mode, cache=cache(folder), repeats=P.judge_repeats)


def write_verdicts(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write what the judges said, for 04_dpo."""
    write_json(path, [{**vars(v), "scores": list(v.scores), "criteria": list(v.criteria)} for v in verdicts])


def read_labels(folder: Path, cases: Sequence[Case]) -> tuple[list[Item], list[Verdict]]:
    """Read candidates and verdicts that 03_rlaif_labels wrote.

    Args:
        cases: those that were prompted (`candidates.prompted`).
    """
    of = {case.id: case for case in cases}
    verdicts = [
        Verdict(v["case_id"], tuple(v["scores"]), tuple(v["criteria"]), v["status"])
        for v in read_json(folder / "verdicts.json")
    ]
    return items_of((of[v.case_id] for v in verdicts), read_rows(folder / "candidates.jsonl")), verdicts
