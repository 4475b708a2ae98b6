"""Linear probes: how well a label of a case can be read from a hidden state, beside two controls.

A probe that does well shows what a state holds, not what the model uses. So each stands beside the share of the largest
class and beside the same probe on shuffled labels, and differences between arms count, not heights.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tcm.cases import Case
from tcm.cases.splits import groups
from tcm_rlaif.evaluation import comparisons, probe_labels, stats
from tcm_rlaif.study import params
from tcm_rlaif.study.schema import Params

FOLDS = 5
STRENGTH = 0.1
"""Inverse strength of the L2 penalty, the same for all arms, labels and layers: our choice, because a state has about
as many numbers as there are cases."""
COLUMNS = ("label", "state", "layer", "case_id", "patient_id", "right", "shuffled")


def out_of_fold(states: np.ndarray, classes: Sequence[str], group: Sequence[int], seed: int = 0) -> np.ndarray:
    """Whether each case's label is told right by a probe that saw no case of its group.

    Args:
        states: shape (cases, hidden).
        classes: label of each case, at least two different ones.
        group: group number of each case; a group lies in one fold.
        seed: of the folds.

    Returns:
        Shape (cases,), boolean.

    Source:
        Alain & Bengio 2016 (arXiv 1610.01644) for linear probes; multinomial logistic regression on standardised
        states. Folds stratified by label, whole groups: our choice.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    told = cross_val_predict(probe, states.astype(np.float64), np.array(classes), groups=np.array(group), cv=folds)
    return told == np.array(classes)


def read(
    states: Mapping[str, np.ndarray], cases: Sequence[Case], near_duplicate: float, smallest: int, seed: int = 0
) -> pd.DataFrame:
    """Every probe of one model: each label at each layer of each reading of the prompt, and the shuffled control.

    Args:
        states: as `hidden_states.of_prompts`.
        cases: with their answers, in the order of the states.
        near_duplicate: as `data_near_duplicate`; cases of one group lie in one fold.
        smallest: see `probe_labels.usable`.
        seed: of folds and of the shuffle, the same for all models so that they are paired.

    Returns:
        Rows of `COLUMNS`: `right` and `shuffled` are 1.0 where the probe was right. A label with fewer than two usable
        classes has no row.

    Source:
        The control: Hewitt & Liang 2019 (arXiv 1909.03368). Theirs gives each word type a random label; cases have no
        types, so here the labels are shuffled over the cases.
    """
    group, rows = np.array(groups(cases, near_duplicate)), []
    for label, values in _labels(cases).items():
        kept = probe_labels.usable(values, smallest)
        if not len(kept):
            continue
        classes = np.array([values[i] for i in kept])
        shuffled = np.random.default_rng(seed).permutation(classes)
        for state, layers in states.items():
            for layer, of_layer in enumerate(layers):
                if layer == 0 and state == "last":  # the same token in every prompt
                    continue
                right = out_of_fold(of_layer[kept], classes, group[kept], seed)
                control = out_of_fold(of_layer[kept], shuffled, group[kept], seed)
                rows += [
                    (label, state, layer, cases[i].id, cases[i].patient_id, float(r), float(c))
                    for i, r, c in zip(kept, right, control, strict=True)
                ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _labels(cases: Sequence[Case]) -> dict[str, list[str | None]]:
    """Label -> its value for each case."""
    of_cases = [probe_labels.labels(case) for case in cases]
    return {label: [one[label] for one in of_cases] for label in of_cases[0]}


def classes_of(cases: Sequence[Case], smallest: int) -> pd.DataFrame:
    """One row a label: `cases` that a probe uses, those left out (no label, or a class that is too small), `classes`,
    and `majority`, the share of the largest class (missing where there is no probe)."""
    rows = []
    for label, values in _labels(cases).items():
        kept = [values[i] for i in probe_labels.usable(values, smallest)]
        unlabelled = sum(value is None for value in values)
        counts = pd.Series(kept, dtype=object).value_counts()
        rows.append({
            "label": label, "cases": len(kept), "without a label": unlabelled,
            "in small classes": len(values) - unlabelled - len(kept), "classes": len(counts),
            "majority": counts.max() / len(kept) if kept else np.nan,
        })  # fmt: skip
    return pd.DataFrame(rows)


def by_layer(probed: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Accuracy and control of every arm, label, reading and layer.

    Args:
        probed: rows of `read` with `arm` and `seed` beside them.

    Returns:
        `arm`, `label`, `state`, `layer`, `accuracy` with its interval `low`, `high` over seeds and cases, `shuffled`,
        `selectivity` (accuracy - shuffled), `seeds` (accuracy of each), `n` cases.
    """
    rows = []
    for keys, part in probed.groupby(["arm", "label", "state", "layer"], sort=False):
        found = stats.estimate(stats.matrix(part, "right"), _patient_of(part))
        low, high = found.interval(confidence)
        control = float(part["shuffled"].mean())
        rows.append(
            dict(zip(("arm", "label", "state", "layer"), keys, strict=True))
            | {"accuracy": found.mean, "low": max(low, 0.0), "high": min(high, 1.0), "shuffled": control}
            | {"selectivity": found.mean - control, "seeds": list(found.by_seed.values()), "n": found.n}
        )
    return pd.DataFrame(rows)


def encoded(probed: pd.DataFrame) -> pd.DataFrame:
    """What an arm holds of each label, as one number a case: the mean over the layers above the embeddings.

    No layer is chosen by its result: the best of many layers would look better than it is.

    Returns:
        Rows `arm`, `seed`, `label`, `state`, `case_id`, `patient_id`, `right`, `shuffled`.
    """
    above = probed[probed["layer"] > 0]
    keys = ["arm", "seed", "label", "state", "case_id", "patient_id"]
    return above.groupby(keys, sort=False)[["right", "shuffled"]].mean().reset_index()


def changes(held: pd.DataFrame, study: Params) -> pd.DataFrame:
    """What each stage writes in: differences between probed arms that the study asks about, by label and reading.

    Args:
        held: as `encoded`.

    Returns:
        `arms`, `label`, `state`, `difference` with its interval over seeds and cases, `seeds`, `n`; shown, not tested.
    """
    rows = []
    for pair in asked(study):
        for (label, state), part in held.groupby(["label", "state"], sort=False):
            values = comparisons.paired(dict(iter(part.groupby("arm"))), study, *pair, "right")
            found = stats.estimate(values, _patient_of(part))
            row = {"arms": " - ".join(pair), "label": label, "state": state}
            row |= found.row("difference", study.ablation_confidence)
            rows.append(row | {"seeds": list(found.by_seed.values()), "n": found.n})
    return pd.DataFrame(rows, columns=["arms", "label", "state", "difference", "low", "high", "seeds", "n"])


def _patient_of(rows: pd.DataFrame) -> dict[str, str]:
    """Case id -> patient: visits of one patient are one unit."""
    return dict(zip(rows["case_id"], rows["patient_id"], strict=True))


def asked(study: Params) -> list[tuple[str, str]]:
    """The study's questions whose two arms are both probed; each later arm that is in none against the first one."""
    first, *others = study.probe_arms
    found = [pair for pair in params.questions(study) if set(pair) <= set(study.probe_arms)]
    return found + [(arm, first) for arm in others if not any(arm in pair for pair in found)]


def against_score(held: pd.DataFrame, results: Mapping[str, Any], metric: str, confidence: float) -> pd.DataFrame:
    """What is encoded beside what is answered: one row an arm, label and reading.

    Args:
        held: as `encoded`.
        results: of the finished study (`results.json`).
        metric: of the answers.

    Returns:
        `arm`, `label`, `state`, `encoded` (mean accuracy) with its interval `encoded low`, `encoded high`, and `score`
        (mean of the metric) with its interval `score low`, `score high`.
    """
    rows = []
    for (arm, label, state), part in held.groupby(["arm", "label", "state"], sort=False):
        found, scored = stats.estimate(stats.matrix(part, "right"), _patient_of(part)), results["arms"][arm][metric]
        low, high = found.interval(confidence)
        rows.append({"arm": arm, "label": label, "state": state, "encoded": found.mean, "encoded low": max(low, 0.0),
                     "encoded high": min(high, 1.0), "score": scored["mean"], "score low": scored["low"],
                     "score high": scored["high"]})  # fmt: skip
    return pd.DataFrame(rows)


def sentences(changed: pd.DataFrame) -> Iterator[str]:
    """What the differences say, one sentence a pair of arms and reading."""
    for (arms, state), part in changed.groupby(["arms", "state"], sort=False):
        up, down = part[part["low"] > 0], part[part["high"] < 0]
        said = [
            f"{word} " + ", ".join(f"{r.label} ({r.difference:+.2f})" for r in rows.itertuples())
            for word, rows in (("easier to read:", up), ("harder to read:", down))
            if len(rows)
        ]
        where = {"mean": "in the mean over the prompt", "last": "where the answer begins"}[state]
        rest = "no difference whose interval excludes 0" if not said else "; ".join(said)
        yield f"{arms}, {where}: {rest} ({len(part)} labels, each with its own interval, not adjusted together)."
