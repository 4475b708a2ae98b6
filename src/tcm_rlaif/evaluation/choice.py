"""Answers to test cases, one a case: the only one drawn, or the one chosen of several, without any training.

Best of n by the judge is what training on that judge's labels has to beat, or to equal at one n-th of the cost of an
answer. Consensus needs no judge: of a model's own draws it takes the one that agrees best with the others. Whoever
chooses sees the case as the model does, never the physician's answer.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from math import log
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

from tcm.answers import read_for
from tcm.cases import Case
from tcm.files import write_rows
from tcm.metrics import score_case
from tcm.metrics.sets import herb_set, overlap
from tcm_rlaif.feedback import labels
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.base import Item, rank_of
from tcm_rlaif.feedback.preflight import of_best
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.models.sampling import Sample, sample
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, Tokenizer

NUMBERS = (1, 2, 4, 8, 16)
"""Points of the best-of-n curve."""
Scores = Sequence[float | None]


def answers(
    model: Model,
    tokenizer: Tokenizer,
    cases: Sequence[Case],
    training_cases: Sequence[Case],
    P: Params,
    seed: int,
    folder: Path,
    prompter: Prompter = PLAIN,
) -> tuple[list[Sample], dict[str, Any]]:
    """Draw `eval_number` answers to each case and choose one by `eval_choice`.

    Args:
        cases: test cases.
        training_cases: all of them; what a judge may learn from, as for `make_judges`.
        folder: of the stage; where several are drawn, `draws.jsonl` keeps them all (the fields of a `Sample`, ``score``
            and ``chosen``), and `judgements.jsonl` what a judge was asked.

    Returns:
        One sample a case, in order, and facts for JSON: ``draws`` a case, ``choice``, ``temperature``; ``tokens`` and
        ``seconds`` an answer, all draws and the choosing included, ``choosing_seconds`` of these; cases ``undecided``
        (answers that differ share the highest score: the first of them stands) and draws ``unjudged``; for a judge also
        ``judge`` (name, counts, cost) and the best-of-n ``curve``.
    """
    started = time.perf_counter()
    drawn = sample(
        model, tokenizer, cases, number=P.eval_number, temperature=P.eval_temperature, top_p=P.candidate_top_p,
        max_new_tokens=P.eval_max_new_tokens, batch_size=P.eval_batch_size, seed=seed, progress="answering",
        prompter=prompter, end_at_loop=P.candidate_end_at_loop,
    )  # fmt: skip
    choosing = time.perf_counter()
    of_case = [drawn[i : i + P.eval_number] for i in range(0, len(drawn), P.eval_number)]
    found: dict[str, Any] = {}
    scores: list[Scores] = [(None,) * P.eval_number] * len(cases)
    if P.eval_number > 1 and P.eval_choice == "judge":
        asked = [case.model_copy(update={"answer": None}) for case in cases]  # a judge that may read gold, may not here
        items = [Item(case, tuple(s.text for s in said)) for case, said in zip(asked, of_case, strict=True)]
        report = labels.judge(make_judges(P, training_cases), items, P, folder)
        scores = [verdict.scores for verdict in report.verdicts]
        found = {"judge": {"name": "+".join(P.judge), "counts": report.counts, "cost": report.cost}}
    elif P.eval_number > 1 and P.eval_choice == "consensus":
        scores = [consensus(case, [s.text for s in said]) for case, said in zip(cases, of_case, strict=True)]
    told = [_ranks(said, row) for said, row in zip(of_case, scores, strict=True)]
    chosen = [best(row) for row in told]
    ended = time.perf_counter()
    if P.eval_number > 1:
        rows = [{**vars(s), "score": score, "chosen": s.number == number}
                for said, row, number in zip(of_case, scores, chosen, strict=True)
                for s, score in zip(said, row, strict=True)]  # fmt: skip
        write_rows(folder / "draws.jsonl", rows)
        if P.eval_choice == "judge":
            found["curve"] = curve(cases, rows)
    facts = {
        "draws": P.eval_number,
        "choice": P.eval_choice if P.eval_number > 1 else "first",
        "temperature": P.eval_temperature,
        "tokens": sum(s.tokens for s in drawn) / max(1, len(cases)),
        "seconds": (ended - started) / max(1, len(cases)),
        "choosing_seconds": (ended - choosing) / max(1, len(cases)),
        "undecided": sum(_undecided(said, row) for said, row in zip(of_case, told, strict=True)),
        "unjudged": sum(score is None for row in scores for score in row) if "judge" in found else 0,
    }
    return [said[number] for said, number in zip(of_case, chosen, strict=True)], facts | found


def best(scores: Scores) -> int:
    """Number of the draw with the highest score, the first of equals; the first of all where none has a score."""
    return max(range(len(scores)), key=lambda n: (scores[n] is not None, scores[n] or 0.0, -n))


def _ranks(drawn: Sequence[Sample], scores: Scores) -> list[float | None]:
    return [s if s is None else rank_of(s, one.finished) for one, s in zip(drawn, scores, strict=True)]


def _undecided(drawn: Sequence[Sample], scores: Scores) -> bool:
    """Whether answers that differ share the highest score."""
    known = [score for score in scores if score is not None]
    return len({s.text for s, score in zip(drawn, scores, strict=True) if known and score == max(known)}) > 1


def consensus(case: Case, texts: Sequence[str]) -> list[float]:
    """Mean herb F1 (base level) of each text with the others: minimum Bayes risk with herb F1 as the gain.

    A text without herbs agrees with none, not even with another of that kind: saying nothing must not win.

    Args:
        texts: at least two draws for the case.

    Source:
        Minimum Bayes risk over samples: arXiv 2108.04718; on answers that can be counted it is self-consistency,
        arXiv 2203.11171.
    """
    herbs = [herb_set(read_for(case, text).answer.herbs, "base") for text in texts]
    agreement = [[overlap(other, own)["f1"] if other else 0.0 for other in herbs] for own in herbs]
    return [fmean(row[:n] + row[n + 1 :]) for n, row in enumerate(agreement)]


def curve(cases: Sequence[Case], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the best of k by score is worth, for each k of `NUMBERS` up to the draws of a case.

    The mean is over all choices of k of a case's draws without replacement, and over draws that score alike: exact, no
    dice. Every point is of the same cases: those with a known prescription and a score of every draw.

    Args:
        rows: of `draws.jsonl`, see `answers`.

    Returns:
        Rows for JSON: ``k``, ``cases``, ``kl`` (upper bound of the KL divergence from the model that drew, in nats an
        answer: log k - (k - 1) / k), mean ``score`` and ``herb_f1`` (the primary metric) of the choice, ``oracle``
        (herb F1 where the choice is by herb F1).

    Source:
        The bound: arXiv 2401.01879.
    """
    of = {case.id: case for case in cases if case.answer and case.answer.prescription}
    draws: dict[str, list[tuple[float | None, float, bool]]] = {}
    for row in rows:
        if case := of.get(row["case_id"]):
            worth = score_case(case, row["text"])["herb_f1"]
            draws.setdefault(case.id, []).append((row["score"], worth, row["finished"]))
    scored = [said for said in draws.values() if all(score is not None for score, *_ in said)]

    def mean(k: int, by: Callable, worth: int) -> float:
        return fmean(of_best(said, k, by, itemgetter(worth)) for said in scored)

    def chosen(one: tuple[float, float, bool]) -> float:
        return rank_of(one[0], one[2])

    return [
        {"k": k, "cases": len(scored), "kl": log(k) - (k - 1) / k, "score": mean(k, chosen, 0),
         "herb_f1": mean(k, chosen, 1), "oracle": mean(k, itemgetter(1), 1)}
        for k in NUMBERS if scored and k <= min(map(len, scored))
    ]  # fmt: skip


def said(facts: Mapping[str, Any]) -> str:
    """What an answer cost, as a sentence."""
    how = f"at temperature {facts['temperature']:g}" if facts["temperature"] else "greedy"
    which = {"first": "the first", "judge": "the judge's choice", "consensus": "the consensus"}[facts["choice"]]
    what = f"{which} of {facts['draws']} draws" if facts["draws"] > 1 else "one answer"
    return (
        f"{what} a case, {how}: {facts['tokens']:.0f} tokens and {facts['seconds']:.2f} s an answer, "
        f"{facts['choosing_seconds']:.2f} s of it to choose"
    )
