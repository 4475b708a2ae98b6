"""Cleaning, near-duplicate groups, and the one split of a study.

Every drop is counted in a funnel whose rows add up. Visits of one patient and near-duplicate findings form a group,
and a group never straddles two splits: otherwise a test case would be answered from memory.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from tcm_rlaif.cases import Case, CaseError, read_cases

IDENTIFIERS = {
    "identity number": re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    "telephone number": re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"),
    "name": re.compile(r"(?<=姓名[：:])[\u4e00-\u9fff]{2,4}|(?<=患者)[\u4e00-\u9fff]某+"),
    "date": re.compile(r"(?:19|20)\d{2}\s*[年./-]\s*\d{1,2}\s*[月./-]\s*\d{1,2}\s*日?"),
    "record number": re.compile(r"(?<=(?:住院|门诊|病历|病案)号[：:])\s*[A-Za-z0-9-]{4,}"),
}


def mask_identifiers(case: Case) -> tuple[Case, Counter]:
    """Replace what can name a person by `＊` in the findings of all visits (ids and answers stay as they are).

    Returns:
        The case, and how many of each kind were replaced.

    Source:
        Our choice of patterns: what Chinese records carry most often. It is a net, not a proof: look at your records.
    """
    found: Counter = Counter()

    def mask(text: str) -> str:
        for kind, pattern in IDENTIFIERS.items():
            text, number = pattern.subn("＊", text)
            found.update({kind: number} if number else {})
        return text

    def visit(v):
        return v.model_copy(update={f: mask(getattr(v, f)) for f in ("chief_complaint", "history", "tongue", "pulse")})

    earlier = tuple(visit(v) for v in case.earlier_visits)
    return case.model_copy(update={"visit": visit(case.visit), "earlier_visits": earlier}), found


def clean(cases: Sequence[Case]) -> tuple[list[Case], list[dict], Counter]:
    """Mask identifiers and drop what cannot be used, counting every drop.

    Returns:
        The kept cases; the funnel as rows `{"step", "cases"}` where read = kept + all drops; identifiers masked.
    """
    kept, drops, masked, seen = [], Counter(), Counter(), set()
    for case in cases:
        case, found = mask_identifiers(case)
        masked.update(found)
        findings = (case.task, _normal(case.visit.findings), "".join(_normal(v.findings) for v in case.earlier_visits))
        if case.answer is None or not (case.answer.prescription or case.answer.syndrome or case.answer.disease):
            drops["dropped: no answer to learn from or compare with"] += 1
        elif (findings, case.answer) in seen:
            drops["dropped: the same findings and answer as an earlier record"] += 1
        else:
            seen.add((findings, case.answer))
            kept.append(case)
    rows = [{"step": "records read", "cases": len(cases)}]
    rows += [{"step": reason, "cases": number} for reason, number in sorted(drops.items())]
    return kept, [*rows, {"step": "cases kept", "cases": len(kept)}], masked


def _normal(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def groups(cases: Sequence[Case], near_duplicate: float) -> list[int]:
    """A group number for each case: one patient, or findings that are nearly the same, chained.

    Args:
        near_duplicate: Jaccard similarity of character trigrams from which two findings count as the same.

    Returns:
        Group numbers, length len(cases).

    Source:
        Our choice: character trigrams need no word list, and visits are short.
    """
    grams = [{t[i : i + 3] for i in range(max(1, len(t) - 2))} for t in (_normal(c.visit.findings) for c in cases)]
    vocabulary = {gram: i for i, gram in enumerate(sorted(set().union(*grams)))} if grams else {}
    rows = np.repeat(np.arange(len(cases)), [len(g) for g in grams])
    columns = [vocabulary[gram] for g in grams for gram in sorted(g)]
    X = csr_matrix(
        (np.ones(len(columns), dtype=np.int32), (rows, columns)), shape=(len(cases), max(1, len(vocabulary)))
    )
    shared = (X @ X.T).tocoo()
    size = np.array([len(g) for g in grams])
    similar = shared.data / (size[shared.row] + size[shared.col] - shared.data) >= near_duplicate
    patients = {p: i for i, p in enumerate(dict.fromkeys(c.patient_id for c in cases))}
    first = {}
    same_patient = [(i, first.setdefault(patients[c.patient_id], i)) for i, c in enumerate(cases)]
    a = np.concatenate([shared.row[similar], [i for i, _ in same_patient]])
    b = np.concatenate([shared.col[similar], [j for _, j in same_patient]])
    graph = csr_matrix((np.ones(len(a)), (a, b)), shape=(len(cases), len(cases)))
    return connected_components(graph, directed=False)[1].tolist()


def split(cases: Sequence[Case], group: Sequence[int], validation: float, test: float, seed: int) -> list[str]:
    """Assign each group whole to `train`, `validation` or `test`.

    Args:
        group: group number of each case.
        validation: share of groups; test: share of groups (each split gets at least one group where its share is > 0).
        seed: of the shuffle.

    Returns:
        The split of each case, length len(cases).

    Raises:
        CaseError: if some split that is asked for would be empty.
    """
    order = sorted(set(group))
    random.Random(f"split-{seed}").shuffle(order)
    wanted = {"test": test, "validation": validation}
    sizes = {name: max(1, round(share * len(order))) if share else 0 for name, share in wanted.items()}
    if len(order) - sum(sizes.values()) < 1:
        raise CaseError(
            f"{len(cases)} cases form only {len(order)} groups (one patient or near-duplicate findings): too few for "
            f"{sizes['test']} test, {sizes['validation']} validation and at least one training group; give more cases "
            "or lower data_test_share, data_validation_share or raise data_near_duplicate"
        )
    place = dict.fromkeys(order, "train")
    place.update(dict.fromkeys(order[: sizes["test"]], "test"))
    place.update(dict.fromkeys(order[sizes["test"] : sum(sizes.values())], "validation"))
    return [place[g] for g in group]


def read_split(folder: Path, name: str) -> list[Case]:
    """The cases of one split, as 01_data_prep wrote them. `test` is opened by 05_evaluate alone.

    Args:
        folder: of the run of 01_data_prep.
        name: train, validation or test.
    """
    place = json.loads((folder / "splits.json").read_text("utf-8"))
    return [case for case in read_cases(folder / "cases.jsonl") if place[case.id] == name]
