"""Answers read a second: 10,000 in the study's own layout, and the same as a Markdown list and a table, with ratios.

Answers are invented from the knowledge tables. No test: run it by hand with
``python tests/benchmarks/bench_answers.py``.
"""

import time

from bench_score import invented_answers

from tcm.answers import parse

ANSWERS = 10_000


def markdown(text: str) -> str:
    """An answer as chat models lay it out: bold labels, a list of herbs, an effect behind each."""
    answer = parse(text).answer
    herbs = "\n".join(f"- **{item.herb}** {item.dose or 9:g}g：补气养血" for item in answer.prescription)
    return (
        f"**中医诊断**：{answer.disease}\n\n**证型**：{answer.syndrome}\n\n**治法**：{answer.treatment_principle}\n\n"
        f"**方剂**：{answer.formula}\n\n**处方**：\n{herbs}\n\n**用法**：{answer.packets}剂，{answer.usage}"
    )


def table(text: str) -> str:
    """An answer whose herbs are a table."""
    head, herbs = markdown(text).split("**处方**：\n")
    rows = herbs.replace("- **", "| ").replace("** ", " | ").replace("g：", "g | ").replace("补气养血", "补气养血 |")
    return f"{head}**处方**：\n| 药物 | 剂量 | 功效 |\n|---|---|---|\n{rows}"


def rate(texts: list[str]) -> float:
    """Answers read a second."""
    start = time.perf_counter()
    for text in texts:
        parse(text)
    return len(texts) / (time.perf_counter() - start)


def main() -> None:
    """Print the rates and their ratio to the plain layout."""
    plain = [text for seed in range(ANSWERS // 1000) for text in invented_answers(seed)]
    rate(plain[:200])  # the tables are read once
    base = rate(plain)
    for name, texts in (
        ("plain", plain),
        ("Markdown list", [markdown(t) for t in plain]),
        ("table", [table(t) for t in plain]),
    ):
        found = rate(texts)
        print(f"{name:13} {found:6.0f} answers a second; time of a plain answer × {base / found:.1f}")


if __name__ == "__main__":
    main()
