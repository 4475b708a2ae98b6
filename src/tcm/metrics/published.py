"""Published scorers, reproduced bit for bit, holes included, so that numbers can be set beside published ones.

Written from the behaviour of the public scorers: MTCMB `evaluate/works/TCM_PR.py` and `evaluate/main_evaluate.py`
(repository Wayyuanyuan/MTCMB), TCM-TBOSD `metric.py` (CCL25 Task 9) and TCMEval-SDT `evaluate.py` (repository
zhuyan166/TCMEval). Each docstring names the holes; `strict` and `batch` close them. Never use these alone.
"""

import ast
import io
from collections.abc import Iterable, Mapping, Sequence, Set

from tcm.metrics.text import lcs_length


def mtcmb_herbs(raw: object) -> list[str]:
    """Read herbs as MTCMB TCM-PR does.

    A list is taken as it is. A string is tried as a Python list literal; failing that it is split at ASCII commas
    and every part is put between double quotes and evaluated as a literal again, which fails for the whole answer
    if one part holds a quote or a line break.

    Holes: ``甘草，茯苓、白术`` is one herb, because only the ASCII comma separates; one quote empties the answer.
    """
    if isinstance(raw, list):
        return [str(item).strip() for item in raw]
    if not isinstance(raw, str):
        return []
    raw = raw.strip()
    quoted = "[" + ", ".join(f'"{part.strip()}"' for part in raw.strip("[]").split(",") if part.strip()) + "]"
    for literal in (raw, quoted):
        try:
            value = ast.literal_eval(literal)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if literal is quoted:
            return value
        if isinstance(value, list):
            return [str(item).strip() for item in value]
    return []


def set_scores(gold: Set[str], pred: Set[str]) -> dict[str, float]:
    """Jaccard, precision, recall, F1 = 2PR/(P+R), size and their composite (J+F1+size)/3, as MTCMB and TCM-TBOSD.

    Both publish the same arithmetic. Where they divide by zero (MTCMB: both sets empty; TCM-TBOSD: also an empty
    prediction) the value here is 0, which is what MTCMB gives for an empty prediction.

    Hole: the size term pays for any names at all, right or wrong.
    """
    common, largest = len(gold & pred), max(len(gold), len(pred))
    precision = common / len(pred) if pred else 0.0
    recall = common / len(gold) if gold else 0.0
    scores = {
        "jaccard": common / len(gold | pred) if largest else 0.0,
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0,
        "size": 1 - abs(len(gold) - len(pred)) / largest if largest else 0.0,
    }
    return scores | {"composite": (scores["jaccard"] + scores["f1"] + scores["size"]) / 3}


def mtcmb_pr(gold: object, pred: object) -> dict[str, float]:
    """One case of MTCMB TCM-PR: `set_scores` of the two herb lists as `mtcmb_herbs` reads them, 0 to 1.

    Args:
        gold: list of names, or the text that holds them.
        pred: likewise.

    Hole: names must be equal to the letter (炙甘草 is not 甘草炙, 枳壳 not 麸炒枳壳).
    """
    return set_scores(set(mtcmb_herbs(gold)), set(mtcmb_herbs(pred)))


def mtcmb_pr_score(rows: Sequence[Mapping[str, float]]) -> float:
    """The number on MTCMB's leaderboard: sum of the composites times 100, floor-divided by n; 0 to 100.

    Rounds down, so 41.99 is published as 41. MTCMB pairs answers with cases by position and refuses files of
    different length; by whom rows are paired is the caller's affair here.
    """
    return sum([row["composite"] for row in rows]) * 100 // len(rows)


def tbosd_task1(gold: Sequence[Mapping], pred: Sequence[Mapping]) -> dict[str, float]:
    """TCM-TBOSD subtask 1 as its `metric.py` computes it: share of equal label strings, 0 to 1.

    Args:
        gold: rows with ``id``, ``syndrome``, ``disease``; several labels are joined by ``|``.
        pred: likewise.

    Holes: compares whole strings, so that ``A|B`` and ``B|A`` differ; divides by the number of *predictions*, so
    that leaving out hard cases raises the score. The README of the task describes `tbosd_task1_readme` instead.
    """
    pairs = _same_id(gold, pred)
    right = {field: sum(row[field] == truth[field] for row, truth in pairs) for field in ("syndrome", "disease")}
    return _task1({field: count / len(pred) for field, count in right.items()})


def tbosd_task1_readme(gold: Sequence[Mapping], pred: Sequence[Mapping]) -> dict[str, float]:
    """TCM-TBOSD subtask 1 as the task's README defines it: mean |y∩ŷ|/|y| over label sets, 0 to 1.

    The README gives the formula and no code path: taking the mean over predictions as `metric.py` does is our
    reading. Arguments as `tbosd_task1`.

    Hole: recall alone, so naming every label scores 1.
    """
    pairs = _same_id(gold, pred)
    means = {}
    for field in ("syndrome", "disease"):
        labels = [(set(row[field].split("|")), set(truth[field].split("|"))) for row, truth in pairs]
        means[field] = sum(len(truth & answer) / len(truth) for answer, truth in labels) / len(pred)
    return _task1(means)


def _same_id(gold: Sequence[Mapping], pred: Sequence[Mapping]) -> list[tuple[Mapping, Mapping]]:
    """Every prediction with every gold row of its id."""
    truths: dict[object, list[Mapping]] = {}
    for row in gold:
        truths.setdefault(row["id"], []).append(row)
    return [(row, truth) for row in pred for truth in truths.get(row["id"], [])]


def _task1(accuracy: Mapping[str, float]) -> dict[str, float]:
    return {
        "syndrome_acc": accuracy["syndrome"],
        "disease_acc": accuracy["disease"],
        "task1": (accuracy["syndrome"] + accuracy["disease"]) / 2,
    }


def tbosd_task2(gold: Sequence[Mapping], pred: Sequence[Mapping]) -> dict[str, float]:
    """TCM-TBOSD subtask 2: means of Jaccard, F1 and size over matched ids, and the mean of the three; 0 to 1.

    Args:
        gold: rows with ``id`` and ``herbs`` (list of names; spaces in a name are removed).
        pred: likewise; of two rows with one id the first counts.

    Holes: cases without a prediction are not counted at all; the size term as in `set_scores`. An empty
    prediction, which stops the published script, scores 0.
    """
    first: dict[object, Mapping] = {}
    for row in pred:
        first.setdefault(row["id"], row)
    rows = [
        set_scores(_tbosd_herbs(truth["herbs"]), _tbosd_herbs(first[truth["id"]]["herbs"]))
        for truth in gold
        if truth["id"] in first
    ]
    if not rows:
        raise ValueError("no id of the predictions occurs in the gold rows: the published mean is over matched ids")
    means = {name: sum([row[name] for row in rows]) / len(rows) for name in ("jaccard", "f1", "size")}
    return means | {"task2": (means["jaccard"] + means["f1"] + means["size"]) / 3}


def _tbosd_herbs(names: Iterable[str]) -> set[str]:
    return {name.strip().replace(" ", "") for name in names}


def tbosd_final(task1: float, task2: float) -> float:
    """The final TCM-TBOSD score: the mean of both subtasks, 0 to 1."""
    return task1 * 0.5 + task2 * 0.5


SDT_WEIGHTS = {"task1": 0.2, "task2": 0.3, "task3": 0.4, "task4": 0.1}


def tcmeval_sdt(gold: str, pred: str) -> dict[str, float]:
    """TCMEval-SDT: four task scores and their weighted total, each *summed over cases* (divide by n for 0 to 1).

    Args:
        gold: content of the answer file, one case a line: ``id@information@pathogenesis@syndrome@summary``, with
            ``;`` between the items of one field.
        pred: content of the submitted file; of two lines with one id the first counts.

    Returns:
        `task1` recall of clinical information items; `task2` and `task3` correct/(|gold|+wrong) over option letters,
        which is Jaccard; `task4` character ROUGE-L of the summary; `total` = 0.2, 0.3, 0.4 and 0.1 of them.

    Holes: task 1 has no penalty for wrong items; the line break at the end of a line is part of the summary and earns
    a little for an empty one; missing cases only lower the sum, which is published without n.
    """
    truths = [line.split("@") for line in _lines(gold)]
    sums = dict.fromkeys(SDT_WEIGHTS, 0.0)
    seen = set()
    for number, line in enumerate(_lines(pred), 1):
        fields = line.split("@")
        if fields[0] in seen:
            continue
        seen.add(fields[0])
        for truth in (t for t in truths if t[0] == fields[0]):
            if len(fields) < 5 or len(truth) < 5:
                raise ValueError(f"line {number}: id {fields[0]!r} has too few fields; give id@1@2@3@4 in both files")
            for task, score in zip(sums, _sdt_case(truth, fields), strict=True):
                sums[task] += score
    weighted = [weight * sums[task] for task, weight in SDT_WEIGHTS.items()]
    return sums | {"total": weighted[0] + weighted[1] + weighted[2] + weighted[3]}


def _lines(content: str) -> list[str]:
    return io.StringIO(content, newline=None).readlines()


def _sdt_case(truth: Sequence[str], pred: Sequence[str]) -> tuple[float, float, float, float]:
    return (
        sdt_information(truth[1].split(";"), pred[1].split(";")) if pred[1] else 0.0,
        sdt_options(truth[2].split(";"), pred[2].split(";")) if pred[2] else 0.0,
        sdt_options(truth[3].split(";"), pred[3].split(";")) if pred[3] else 0.0,
        sdt_summary(truth[4], pred[4]),
    )


def sdt_information(gold: Sequence[str], pred: Sequence[str]) -> float:
    """Task 1 of TCMEval-SDT: share of gold items that were named to the letter, 0 to 1."""
    named = set(pred)
    return sum(item in named for item in gold) / len(gold)


def sdt_options(gold: Iterable[str], pred: Iterable[str]) -> float:
    """Tasks 2 and 3 of TCMEval-SDT: correct/(|gold| + wrong) over option letters, 0 to 1."""
    right, chosen = set(gold), set(pred)
    return len(right & chosen) / (len(right) + len(chosen - right))


def sdt_summary(gold: str, pred: str) -> float:
    """Task 4 of TCMEval-SDT: ROUGE-L on characters with beta = 1, every character counted, 0 to 1."""
    common = lcs_length(gold, pred) if gold and pred else 0
    if not common:
        return 0.0
    recall, precision = common / len(pred), common / len(gold)
    return 2 * recall * precision / (recall + precision)
