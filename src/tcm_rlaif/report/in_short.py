"""The answer in short, for README in two languages: a table over the published studies, the default's findings."""

from typing import Any

from tcm.metrics.intervals import ranged
from tcm_rlaif.evaluation import standing
from tcm_rlaif.report.headline import fewer_seeds, findings
from tcm_rlaif.report.index import ORDER, sound

FIRST = "herb_f1"  # README tells the findings on this metric; all others stand in docs/results.md
FEEDBACK = {  # the first that a study has with all seeds -> where its training started, untrained and after SFT
    "sft_best_of_n": ("base", "sft"),
    "retrieved_best_of_n": ("base_retrieved", "retrieved"),
    "sft_dpo": ("base", "sft"),
    "retrieved_dpo": ("base_retrieved", "retrieved"),
    "best_of_n": ("base_retrieved", "retrieved"),
}
FLOORS = (standing.COMBINED, *standing.KNOWING)
SOURCES = {
    "en": {"invented": "invented cases", "mtcmb": "textbook cases (MTCMB)", "best4sdt": "case records (BEST4SDT)"},
    "zh": {"invented": "虚构病例", "mtcmb": "教材病例（MTCMB）", "best4sdt": "医案（BEST4SDT）"},
}
HEAD = {
    "en": ("study", "model", "cases", "test", "seeds", "untrained", "SFT", "SFT + AI feedback", *FLOORS, "minutes"),
    "zh": ("研究", "模型", "病例", "测试", "种子", "未训练", "SFT", "SFT＋AI反馈", *FLOORS, "分钟"),
}
SAID = {
    "en": "Herb F1 (0 to 1) on test cases: the model's answers beside answers that need no model. The arms of a row "
    "are asked alike; named where they are not `base` and `sft` (`best_of_n`: no training, the judge's choice of eight "
    "answers at the test). Model: millions of parameters (2: built here; 630: the 0.5B Qwen, its word table held "
    "twice). Seeds: with fewer than three "
    "everything is exploratory. `best_per_task`: the best that knows no tables (at first visits the nearest case or "
    "popularity, at follow-ups copying the last prescription); `expert_rule` and `expert` know what the judge knows. "
    "Minutes: on 2 cores, `mtcmb_qwen` mostly on a GPU; `default` includes building the tiny base model, the others "
    "found it built; `qwen_small` stood still for half an hour of them.",
    "zh": "测试病例上的药物F1（0到1）：模型的回答与不需模型的回答并列。同一行各臂的提问方式相同，"
    "不是 `base`、`sft` 的注明臂名（`best_of_n` 为测试时由评判者八选一，未经训练）。"
    "模型一列为百万参数（2：在此自建；630：0.5B 的 Qwen，词表两份）。种子少于三个时只作探索。"
    "`best_per_task`：不知知识表者中最好的"
    "（初诊为最近似的病例或最常用药，复诊为照抄前方）；`expert_rule` 与 `expert` 知评判者之所知。"
    "分钟：双核，`mtcmb_qwen` 多在 GPU 上；`default` 含建立小基础模型，其余各项已有之；`qwen_small` 其中约半小时停着。",
}


def table(studies: dict[str, dict[str, Any]], language: str) -> str:
    """The table, and for English what was declared and found in the default study.

    Args:
        studies: name -> its `results.json`.
        language: `en` or `zh`; both hold the same numbers.
    """
    lines = [SAID[language], "", "| " + " | ".join(HEAD[language]) + " |", "|---" * len(HEAD[language]) + "|"]
    for name in (name for name in ORDER if name in studies):
        with sound(name):
            lines.append(f"| {' | '.join(map(str, _row(name, studies[name], language)))} |")
    if language == "en" and "default" in studies:
        with sound("default"):
            lines += ["", *(f"- {line}" for line in findings(studies["default"]) if FIRST in line)]
    return "\n".join(lines)


def _row(name: str, results: dict[str, Any], language: str) -> list[Any]:
    fewer = fewer_seeds(results)
    arms = {arm: row for arm, row in results["arms"].items() if arm not in fewer}
    split = {row["split"]: row["cases"] for row in results["data"]["splits"]}
    best = next((arm for arm in FEEDBACK if "herb_f1" in arms.get(arm, {})), "sft_dpo")
    model = f"{results['base']['parameters'] / 1e6:.0f} M"
    cells = [name, model, SOURCES[language][results["data"]["source"]], split["test"], len(results["seeds"])]
    for arm in (*FEEDBACK[best], best):
        named = "" if arm in ("base", "sft") else f" ({arm})"
        cells += [ranged(arms[arm]["herb_f1"], form=".2f") + named if arm in arms else "–"]
    cells += [f"{results['lines']['herb_f1'][floor]:.2f}" for floor in FLOORS]
    return [*cells, f"{results['side_by_side']['wall_seconds'] / 60:.0f}"]
