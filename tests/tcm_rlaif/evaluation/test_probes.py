"""A probe tells what a state holds and no more: exact on planted states, by luck alone where nothing was planted."""

import numpy as np
import pandas as pd
import pytest

from tcm.cases import Answer, Case, Patient, Visit
from tcm.invented import invent_cases
from tcm_rlaif.evaluation import probes
from tcm_rlaif.study import params

RNG = np.random.default_rng(0)
CLASSES = ["heat", "cold"] * 30


def planted(classes: list[str], noise: float = 0.1) -> np.ndarray:
    """States whose first number is the class."""
    states = RNG.normal(size=(len(classes), 6))
    states[:, 0] = np.array([c == "heat" for c in classes]) * 2.0 - 1 + noise * states[:, 0]
    return states


def test_a_label_that_is_there_is_told_and_one_that_is_not_is_told_by_luck() -> None:
    alone = range(len(CLASSES))
    assert probes.out_of_fold(planted(CLASSES), CLASSES, alone).all()
    assert 0.25 < probes.out_of_fold(RNG.normal(size=(60, 6)), CLASSES, alone).mean() < 0.75


def test_no_case_is_told_by_another_of_its_group() -> None:
    group = np.repeat(np.arange(12), 5)  # five visits of each of twelve patients
    states = np.eye(12)[group] + 0.01 * RNG.normal(size=(60, 12))  # who the patient is, and nothing else
    classes = np.where(np.arange(12) % 2 == 0, "heat", "cold")[group].tolist()
    together, apart = (probes.out_of_fold(states, classes, g).mean() for g in (range(60), group))
    assert together == 1.0 and apart < 0.6


def made(number: int, syndrome: str, tongue: str = "") -> Case:
    findings = Visit(
        chief_complaint=f"{chr(0x4E00 + 7 * number)}{chr(0x5E00 + 11 * number)}痛{number}日", tongue=tongue
    )
    return Case(id=f"c{number}", source="invented", patient_id=f"p{number}", patient=Patient(), visit=findings,
                answer=Answer(syndrome=syndrome))  # fmt: skip


CASES = [made(n, "脾胃虚寒" if n % 2 else "肝火", "舌红" if n % 3 else "") for n in range(40)]


def test_a_label_is_read_at_each_layer_with_the_shuffled_control_beside_it() -> None:
    right = planted([["heat", "cold"][n % 2] for n in range(40)])
    states = {"mean": np.stack([RNG.normal(size=right.shape), right])}
    found = probes.read(states, CASES, 0.8, smallest=8)
    told = found.groupby(["label", "layer"])[["right", "shuffled"]].mean()
    assert told.loc[("cold or heat", 1), "right"] == 1.0 and told.loc[("cold or heat", 0), "right"] < 0.8
    assert told.loc[("cold or heat", 1), "shuffled"] < 0.8
    assert set(found["label"]) == {"syndrome", "cold or heat", "deficiency or excess"}, "one class is no question"


def test_the_last_token_says_nothing_at_the_embeddings_and_is_not_probed_there() -> None:
    layers = RNG.normal(size=(2, 40, 4))
    found = probes.read({"mean": layers, "last": layers}, CASES, 0.8, smallest=8)
    assert {tuple(pair) for pair in found[["state", "layer"]].drop_duplicates().to_numpy()} == {
        ("mean", 0), ("mean", 1), ("last", 1),
    }  # fmt: skip


def test_every_case_is_counted_in_the_table_of_labels() -> None:
    table = probes.classes_of(CASES, smallest=8).set_index("label")
    parts = table[["cases", "without a label", "in small classes"]]
    assert (parts.sum(axis=1) == 40).all()
    assert table.loc["tongue"].to_dict() | {"majority": 0} == {
        "cases": 0, "without a label": 14, "in small classes": 26, "classes": 0, "majority": 0,
    }  # fmt: skip
    assert table.loc["cold or heat", "classes"] == 2 and table.loc["cold or heat", "majority"] == 0.5


def probed(**accuracy: list[list[float]]) -> pd.DataFrame:
    """Rows as `probes.read` gives them, for one label: arm -> seeds x cases, alike at layers 0 to 2."""
    rows = [
        ("syndrome", "last", layer, f"c{place}", f"p{place}", right * (layer > 0), 0.25, arm, seed)
        for arm, seeds in accuracy.items()
        for seed, cases in enumerate(seeds)
        for place, right in enumerate(cases)
        for layer in (0, 1, 2)
    ]
    return pd.DataFrame(rows, columns=[*probes.COLUMNS, "arm", "seed"])


BASE, SFT = [[0.0, 0.0, 1.0, 0.0]], [[1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0]]
STUDY = params.validated(
    {
        "seeds": [0, 1],
        "arms": {"base": {"training": "none"}, "sft": {"training": "sft"}},
        "probe_arms": ["base", "sft"],
    },
    "x",
)


def test_visits_of_one_patient_count_as_one() -> None:
    apart = probed(sft=[[1.0, 1.0, 0.0, 0.0] * 5])
    together = apart.assign(patient_id=apart["case_id"].map(lambda case: f"p{int(case[1:]) // 2}"))
    narrow, wide = (probes.by_layer(rows, 0.95).set_index("layer").loc[1] for rows in (apart, together))
    assert narrow["accuracy"] == wide["accuracy"] == 0.5
    assert wide["high"] - wide["low"] > 1.3 * (narrow["high"] - narrow["low"])


def test_accuracy_control_and_selectivity_stand_beside_each_other_by_layer() -> None:
    row = probes.by_layer(probed(base=BASE, sft=SFT), 0.95).set_index(["arm", "layer"]).loc[("sft", 1)]
    assert row["accuracy"] == pytest.approx(5 / 8) and row["shuffled"] == 0.25
    assert row["selectivity"] == pytest.approx(3 / 8) and row["seeds"] == [0.75, 0.5]
    assert 0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1


def test_what_an_arm_holds_leaves_the_embeddings_out_and_differences_are_paired() -> None:
    held = probes.encoded(probed(base=BASE, sft=SFT))
    assert held.groupby("arm")["right"].mean().to_dict() == {"base": 0.25, "sft": 5 / 8}
    (row,) = probes.changes(held, STUDY).to_dict("records")
    assert (row["arms"], row["n"]) == ("sft - base", 4)
    assert row["difference"] == pytest.approx(3 / 8) and row["seeds"] == [0.5, 0.25]
    assert "no difference whose interval excludes 0" in next(iter(probes.sentences(probes.changes(held, STUDY))))


def test_a_clear_difference_is_said_with_its_size() -> None:
    held = probes.encoded(probed(base=[[0.0] * 30], sft=[[1.0] * 27 + [0.0] * 3] * 2))
    (said,) = probes.sentences(probes.changes(held, STUDY))
    assert said.startswith("sft - base, where the answer begins: easier to read: syndrome (+0.90)")


def test_encoded_stands_beside_the_score_of_the_ablation() -> None:
    scores = {
        arm: {"herb_f1": {"mean": m, "low": m - 0.1, "high": m + 0.1}} for arm, m in (("base", 0.2), ("sft", 0.5))
    }
    table = probes.against_score(probes.encoded(probed(base=BASE, sft=SFT)), {"arms": scores}, "herb_f1", 0.95)
    assert (table["encoded low"] <= table["encoded"]).all() and table["score high"].tolist() == [0.2 + 0.1, 0.5 + 0.1]
    assert table[["arm", "encoded", "score"]].values.tolist() == [["base", 0.25, 0.2], ["sft", 5 / 8, 0.5]]


def test_the_real_labels_of_invented_cases_make_probes() -> None:
    table = probes.classes_of(invent_cases(200, 0.4, 0, 30), 5).set_index("label")
    assert set(table.index[table["classes"] > 1]) == {*table.index}
