"""`results.json`: every number as plain JSON, every arm and floor, and what the study cost."""

import json
import math
import os
import subprocess

import numpy as np
import pytest
from written_study import ARMS

from tcm import metrics
from tcm.metrics import FLOORS
from tcm_rlaif.evaluation import comparisons
from tcm_rlaif.report import readme, results
from tcm_rlaif.study.plan import plan, study_folder


def test_the_cost_adds_up_and_tells_the_share_of_overhead(stage) -> None:
    assert len(results.cost(stage.study)) == 0
    folder = study_folder(stage.study)
    for run in plan(stage.study):
        if run.stage == "02_sft":
            span = {"start": f"2026-01-01T00:00:0{run.seed}+00:00", "end": f"2026-01-01T00:00:1{run.seed}+00:00"}
            timing = {"seconds": 10.0, "overhead_seconds": 2.0, "peak_mib": 700 + run.seed, **span}
            timing |= {"machine": "a GPU" if run.seed else "2 cores"}
            (folder / run.folder / "timing.json").write_text(json.dumps(timing), "utf-8")
    cost = results.cost(stage.study).set_index("stage")
    assert cost.loc["all"].to_dict() == {"runs": 2, "seconds": 20.0, "overhead share": 0.2, "peak MiB": 701}
    assert results.side_by_side(stage.study) == {"wall_seconds": 11.0, "memory_mib": 1401}
    assert results.trained_until(stage.study) == "2026-01-01"
    assert results.machines(stage.study) == {"a GPU": 1, "2 cores": 1}


def test_the_results_are_json_without_nan_and_tell_every_arm(evidence, stage, tmp_path) -> None:
    table = comparisons.comparisons(evidence, stage.study)
    values = results.gather(evidence, stage.study, table, results.cost(stage.study))
    results.write(tmp_path / "results.json", values)
    text = (tmp_path / "results.json").read_text("utf-8")

    def refuse(constant: str):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads(text, parse_constant=refuse)
    assert list(read["arms"]) == list(ARMS) and set(read["floors"]) == {*FLOORS, *metrics.ATTACKS, "gold"}
    assert read["arms"]["sft_dpo"]["herb_f1"]["mean"] == 1.0 and read["floors"]["gold"]["herb_f1"]["n"] == 2
    assert read["judge"]["sft_dpo/seed0"]["cost"]["latency_median_s"] is None
    assert read["params"]["seeds"] == [0, 1] and "torch" in read["machine"]
    assert len(read["comparisons"]) == len(table)
    first = next(row for row in read["comparisons"] if row["arms"] == "sft_dpo - sft")
    assert len(first["seeds"]) == 2 and first["exploratory"] and {"mdd", "p_holm", "verdict"} <= first.keys()
    assert read["declared"]["primary"] == ["herb_f1", "judge_score", "usable"] and "tests" in read["declared"]["said"]
    assert read["intervals"] == "95% intervals over seeds and cases" and read["frontier"] == []
    assert any("copy_previous" in line for line in read["findings"]) and read["rounding"]
    stands = {(row["task"], row["arm"]): row["stands"] for row in read["standing"] if not row["knows"]}
    assert stands[("first_visit", "sft_dpo")] == "beats it" and stands[("first_visit", "base")] == "below it"
    assert set(read["lines"]) > set(read["declared"]["primary"]) and read["lines"]["herb_f1"]["best_per_task"] > 0.5
    assert {row["finding"] for row in read["safety_excess"]} == {"any finding", "of high severity", "overdose"}
    assert read["doses"] and [row["verdict"] for row in read["health"]] == ["healthy", "healthy"]
    made = results.manifest(read | {"machines": {"a GPU": 4, "2 cores": 1}}).set_index("what")["value"]
    assert made["notebooks ran on"] == "a GPU: 4, 2 cores: 1"
    assert made["cores"].isdigit() and {"commit", "code under src", "processor", "memory_gib", "gpu", "trl"} <= set(
        made.index
    )
    assert made["knowledge tables"] == read["made_with"]["knowledge_tables"] == results.knowledge_hash()
    del read["made_with"]["knowledge_tables"]  # as in results of before
    assert results.manifest(read).set_index("what").loc["knowledge tables", "value"] == "–"
    assert isinstance(read["machine"]["gpu"], list) and (made["gpu"] == "none") == (not read["machine"]["gpu"])
    assert {"usable", "distinct"} <= read["faults"][0].keys() | read["collapse"][0].keys()


def test_the_hash_of_the_tables_changes_with_them_alone_and_is_the_shell_s(monkeypatch, tmp_path) -> None:
    folder = tmp_path / "src" / "tcm" / "knowledge"
    folder.mkdir(parents=True)
    (folder / "herbs.tsv").write_text("herb\n柴胡\n", "utf-8")
    (folder / "herb_aliases.tsv").write_text("alias\n茈胡\n", "utf-8")
    monkeypatch.setattr(results, "ROOT", tmp_path)
    command = f"cat '{folder}'/*.tsv | sha256sum"
    said = subprocess.run(command, shell=True, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True).stdout
    before = results.knowledge_hash()
    assert len(before) == 16 and said.startswith(before)
    (folder / "names.py").write_text("# code", "utf-8")
    assert results.knowledge_hash() == before
    (folder / "herbs.tsv").write_text("herb\n黄芩\n", "utf-8")
    assert results.knowledge_hash() != before


def test_readme_tells_what_the_intervals_are_over(evidence, stage) -> None:
    values = results.gather(
        evidence, stage.study, comparisons.comparisons(evidence, stage.study), results.cost(stage.study)
    )
    values["cost"] = [{"stage": "all", "overhead share": 0.1}]
    block = readme.render(values)
    assert "95% intervals over seeds and cases" in block and "| herb_f1 | judge_score | usable |" in block
    assert "exploratory" in block
    del values["comparisons"]
    with pytest.raises(KeyError, match="comparisons"):
        readme.render(values)


def test_what_is_not_a_number_becomes_null_in_the_results(tmp_path) -> None:
    values = {"a": math.nan, "b": [math.inf, {"c": np.nan}], "d": np.int64(3), "e": np.float64(0.5), "词": (1, True)}
    results.write(tmp_path / "r.json", values)
    read = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert read == {"a": None, "b": [None, {"c": None}], "d": 3, "e": 0.5, "词": [1, True]}


@pytest.mark.parametrize("value", [5.0e-7, 2.5e-6, 1.0e-8])
def test_a_small_number_stands_in_the_results_as_it_was(tmp_path, value: float) -> None:
    results.write(tmp_path / "r.json", {"params": {"dpo_learning_rate": value}})
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["params"]["dpo_learning_rate"] == pytest.approx(value)
