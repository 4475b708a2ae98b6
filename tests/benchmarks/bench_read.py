"""Prescriptions read a second: plain lists, and forty ways of writing mixed. 10,000 should take at most 3 seconds.

No test: run it by hand with ``python tests/benchmarks/bench_read.py`` on a machine that does nothing else.
"""

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from invented_notation import WAYS, names, prescription

from tcm.prescriptions.notation import read_prescription

N = 2000


def seconds(texts: list[str]) -> float:
    """CPU seconds to read the texts once."""
    start = time.process_time()
    for text in texts:
        read_prescription(text)
    return time.process_time() - start


UNITS = "上方 去 桑叶10g改 焦三仙 (10g) 先煎1小时 每次3g ①桑叶3g 外洗： 另： 1_0g 一钱 桑叶或 -5g … <think>".split()


def growth(unit: str) -> float:
    """How much longer 8 times the text takes; 8 where time grows linearly."""
    short, long = (["桑叶10g，" + unit.replace("_", " ") * (size // len(unit))] for size in (2_000, 16_000))
    return min(seconds(long) for _ in range(2)) / min(seconds(short) for _ in range(2))


def main() -> None:
    """Print CPU seconds for the first text (tables and grammar included) and for 10,000, of each kind."""
    dice = random.Random(1)
    plain = [WAYS["name dose g"](dice, names(dice, dice.randint(8, 14)), "，")[0] + "。7剂，水煎服" for _ in range(N)]
    mixed = [prescription(dice)[1] for _ in range(N)]
    print(f"first text: {seconds(plain[:1]):.2f} s")
    for kind, texts in (("plain lists", plain), ("forty ways", mixed)):
        seconds(texts)  # names are looked up once
        took = min(seconds(texts) for _ in range(3)) / N
        print(f"{kind}: {1 / took:.0f} prescriptions a second; 10,000 in {took * 10_000:.1f} s")
    print("8 times the text takes, times as long:", {unit: round(growth(unit), 1) for unit in UNITS})


if __name__ == "__main__":
    main()
