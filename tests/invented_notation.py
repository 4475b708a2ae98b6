"""Invented prescriptions written in thirty-odd ways, each with the truth that it was written from.

Herbs are drawn from the tables (canonical names, processed forms, aliases, also with a place before them or in
traditional script), doses from what the way of writing can say. Nothing here comes from a real prescription.
"""

import random
from dataclasses import dataclass

from tcm.knowledge import aliases, forms, herb_info, herbs, joint_herbs, resolve_herb
from tcm.knowledge.tables import joint_names

NOTES = (
    "先煎",
    "后下",
    "包煎",
    "烊化",
    "冲服",
    "另煎",
    "打碎",
    "先煎1小时",
    "先煎半小时",
    "研末冲服",
    "分两次冲服",
    "布包",
)
PLACES = ("川", "怀", "杭", "云", "广")
DIGITS = "〇一二三四五六七八九"
FULL = str.maketrans("0123456789g.", "０１２３４５６７８９ｇ．")


@dataclass
class Truth:
    """One herb as it was meant."""

    name: str
    dose: float | None
    unit: str = "g"
    high: float | None = None


def number(value: float) -> str:
    """9, 4.5."""
    return f"{value:g}"


def han(value: int) -> str:
    """A whole number below 100 in Han numerals."""
    tens, ones = divmod(value, 10)
    return (("" if tens == 1 else DIGITS[tens]) + "十" if tens else "") + (DIGITS[ones] if ones or not tens else "")


def names(dice: random.Random, count: int) -> list[str]:
    """Different herbs under one of their names."""
    pool = dice.choice((sorted(herbs()), sorted(forms()), sorted(aliases()), sorted(aliases()), sorted(herbs())))
    found: dict[str, str] = {}
    while len(found) < count:
        name = dice.choice(pool if dice.random() < 0.7 else sorted(herbs()))
        if dice.random() < 0.05:
            placed = dice.choice(PLACES) + name
            known = resolve_herb(placed)
            name = placed if known and known.base == herb_info(name).base else name
        if not any(mark in name for mark in "()（）") and not joint_herbs(name):
            found.setdefault(resolve_herb(name).base, name)
    return list(found.values())


def grams(dice: random.Random) -> float:
    """A dose in g as people write it."""
    return (
        float(dice.choice((3, 5, 6, 8, 9, 10, 12, 15, 18, 20, 24, 25, 30, 45, 60)))
        if dice.random() < 0.85
        else (dice.choice((0.3, 0.5, 1.5, 2.5, 4.5, 7.5)))
    )


def _item(write):
    """A way that writes herb by herb, with its separator."""

    def way(dice, herb_names, sep):
        truth = [Truth(name, grams(dice)) for name in herb_names]
        return sep.join(write(dice, t) for t in truth), truth

    return way


def _each(bracket):
    def way(dice, herb_names, sep):
        parts, truth = [], []
        while herb_names:
            group, herb_names = herb_names[: dice.randint(1, 3)], herb_names[3:]
            dose = grams(dice)
            truth += [Truth(name, dose) for name in group]
            each = "各" if len(group) > 1 else ""
            parts.append("、".join(group) + (f"（{each}{number(dose)}g）" if bracket else f"{each}{number(dose)}g"))
        return "，".join(parts), truth

    return way


def _whole(write, unit="g"):
    """A way for whole numbers only."""

    def way(dice, herb_names, sep):
        truth = [
            Truth(name, float(dice.randint(1, 30) if unit == "g" else dice.randint(1, 9)), unit) for name in herb_names
        ]
        return sep.join(write(dice, t) for t in truth), truth

    return way


def _half_qian(dice, herb_names, sep):
    truth = [Truth(name, dice.randint(1, 5) + 0.5, "钱") for name in herb_names]
    return sep.join(f"{t.name}{DIGITS[int(t.dose)]}钱{dice.choice(('半', '五分'))}" for t in truth), truth


def _range(dice, herb_names, sep):
    truth = [Truth(n, low := float(dice.randint(3, 12)), "g", low + dice.randint(1, 6)) for n in herb_names]
    dash = dice.choice(("-", "～", "~", "—", "至"))
    return sep.join(f"{t.name}{number(t.dose)}{dash}{number(t.high)}g" for t in truth), truth


def _dose_first(dice, herb_names, sep):
    truth = [Truth(name, grams(dice)) for name in herb_names]
    unit, gap = dice.choice(("g", "克")), dice.choice(("", " "))
    return sep.join(f"{number(t.dose)}{unit}{gap}{t.name}" for t in truth), truth


def _bare(gap, sep):
    def way(dice, herb_names, _):
        truth = [Truth(name, grams(dice)) for name in herb_names]
        return sep.join(f"{t.name}{gap}{number(t.dose)}" for t in truth), truth

    return way


def _lines(write):
    def way(dice, herb_names, _):
        truth = [Truth(name, grams(dice)) for name in herb_names]
        return "\n".join(write(i, t) for i, t in enumerate(truth, 1)), truth

    return way


def _table(dice, herb_names, _):
    truth = [Truth(name, grams(dice)) for name in herb_names]
    return "| 药物 | 剂量 |\n|---|---|\n" + "\n".join(f"| {t.name} | {number(t.dose)}g |" for t in truth), truth


def _small(dice, herb_names, sep):
    """Decimals below one with a comma, beside ordinary doses."""
    truth = [Truth(name, dice.choice((0.3, 0.5, 0.6)) if i % 3 == 0 else 9.0) for i, name in enumerate(herb_names)]
    return "，".join(f"{t.name}{number(t.dose).replace('.', ',')}g" for t in truth), truth


def _joint(dice, herb_names, sep):
    truth = [Truth(name, grams(dice)) for name in herb_names]
    parts = [f"{t.name}{number(t.dose)}g" for t in truth]
    used = {resolve_herb(t.name).base for t in truth}
    for joint in dice.sample(sorted(joint_names()), 3):
        bases = {resolve_herb(herb).base for herb in joint_names()[joint]}
        if not bases & used:
            dose = grams(dice)
            parts.append(f"{joint}各{number(dose)}g")
            truth += [Truth(herb, dose) for herb in joint_names()[joint]]
            used |= bases
    return "，".join(parts), truth


def _pieces(dice, herb_names, sep):
    truth = [Truth(n, float(dice.randint(1, 12)), dice.choice("枚片条个根只粒")) for n in herb_names]
    write = dice.choice((number, lambda value: han(int(value))))
    return sep.join(f"{t.name}{write(t.dose)}{t.unit}" for t in truth), truth


def _traditional(dice, herb_names, sep):
    from opencc_purepy import OpenCC

    truth = [Truth(name, grams(dice)) for name in herb_names]
    return OpenCC("s2t").convert("，".join(f"{t.name}{number(t.dose)}g" for t in truth)), truth


WAYS = {
    "name dose g": _item(lambda d, t: f"{t.name}{number(t.dose)}g"),
    "spaced": _item(lambda d, t: f"{t.name} {number(t.dose)} g"),
    "克": _item(lambda d, t: f"{t.name}{number(t.dose)}克"),
    "公克, 公分": _item(lambda d, t: f"{t.name}{number(t.dose)}{d.choice(('公克', '公分'))}"),
    "full-width": _item(lambda d, t: f"{t.name}{number(t.dose)}g".translate(FULL)),
    "colon": _item(lambda d, t: f"{t.name}：{number(t.dose)}g"),
    "bracket": _item(lambda d, t: f"{t.name}（{number(t.dose)}g）"),
    "dash": _item(lambda d, t: f"{t.name}——{number(t.dose)}g"),
    "hyphen with blanks": _lines(lambda i, t: f"{t.name} - {number(t.dose)}g"),
    "dose first": _dose_first,
    "no unit, blanks": _bare("", " "),
    "no unit, two blanks": _bare(" ", "  "),
    "no unit, commas": _bare("", "，"),
    "no unit, run together": _bare("", ""),
    "run together": _item(lambda d, t: f"{t.name}{number(t.dose)}克"),
    "各": _each(False),
    "各 in brackets": _each(True),
    "Han numerals": _whole(lambda d, t: f"{t.name}{han(int(t.dose))}克"),
    "钱": _whole(lambda d, t: f"{t.name}{DIGITS[int(t.dose)]}钱", "钱"),
    "两": _whole(lambda d, t: f"{t.name}{DIGITS[int(t.dose)]}两", "两"),
    "钱 and halves": _half_qian,
    "3钱": _whole(lambda d, t: f"{t.name}{number(t.dose)}钱", "钱"),
    "numbered": _lines(lambda i, t: f"{i}. {t.name} {number(t.dose)}g"),
    "numbered 、": _lines(lambda i, t: f"{i}、{t.name}{number(t.dose)}g"),
    "numbered in brackets": _lines(lambda i, t: f"（{i}）{t.name}{number(t.dose)}g"),
    "Markdown": _lines(lambda i, t: f"- **{t.name}** {number(t.dose)}g"),
    "table": _table,
    "tabs": _lines(lambda i, t: f"{t.name}\t{number(t.dose)}g"),
    "note after": _item(lambda d, t: f"{t.name}{number(t.dose)}g（{d.choice(NOTES)}）"),
    "note between": _item(lambda d, t: f"{t.name}（{d.choice(NOTES)}）{number(t.dose)}g"),
    "bare note after": _item(lambda d, t: f"{t.name}{number(t.dose)}g{d.choice(NOTES)}"),
    "bare note between": _item(lambda d, t: f"{t.name}{d.choice(NOTES[:7])}{number(t.dose)}克"),
    "decimal comma": _small,
    "range": _range,
    "prices": _item(lambda d, t: f"Y{d.randint(1000, 9999)} {t.name} {t.dose:.2f} g {d.randint(1, 99) / 100:.2f}元"),
    "alternative": _item(lambda d, t: f"{t.name}（或{d.choice(('党参', '白术'))}）{number(t.dose)}g"),
    "joint names": _joint,
    "pieces": _pieces,
    "traditional script": _traditional,
}
"""Every way of writing: way(dice, names, separator) → text and truth."""

RUN_TOGETHER = ("run together", "Han numerals", "钱", "钱 and halves", "bare note between")
SEPARATORS = ("，", "、", "；", " ", "\n", ", ")
LEADS = ("", "", "", "处方：", "方用", "药用：", "方药：")
ENDS = (
    ("", None), ("。{n}剂，水煎服", 1), ("，{n}剂", 1), ("。共{n}剂，日1剂，水煎分2次温服", 1), ("。{h}剂，水煎服", 1),
    ("。水煎服，{n}剂", 1), ("。水煎服，日一剂", None), ("。服药{n}剂", 1), ("。上方{n}剂，水煎服", 1),
    ("。{n}付，早晚分服", 1), (" {h}剂", 1), ("。每日1剂，连服{n}剂", 1), ("\n{n}剂\n水煎服", 1),
    ("。{n}帖。忌食辛辣", 1), ("×{n}剂", 1),
)  # fmt: skip


def prescription(dice: random.Random) -> tuple[str, str, list[Truth], int | None]:
    """One text: the way it is written in, the text, its herbs and its packets."""
    way = dice.choice(sorted(WAYS))
    sep = "" if way == "run together" or (way in RUN_TOGETHER and dice.random() < 0.5) else dice.choice(SEPARATORS)
    body, truth = WAYS[way](dice, names(dice, dice.randint(3, 12)), sep)
    end, has = dice.choice(ENDS)
    packets = dice.randint(2, 30)
    lead = dice.choice(LEADS) if body[0] not in "|-1（Y0123456789.１２３４５６７８９０" else ""
    return way, lead + body + end.format(n=packets, h=han(packets)), truth, packets if has else None


def mixed(dice: random.Random) -> tuple[str, str, list[Truth], int | None]:
    """One text whose herbs are written in two ways."""
    ways = [way for way in dice.sample(sorted(WAYS), 6) if "\n" not in WAYS[way](dice, ["柴胡", "黄芩"], "，")[0]]
    ways = [way for way in ways if not way.startswith("no unit") and way not in ("dose first", "prices")][:2]
    all_names = names(dice, 8)
    texts, truth = [], []
    for way, part in zip(ways, (all_names[:4], all_names[4:]), strict=False):
        text, more = WAYS[way](dice, part, "，")
        texts.append(text)
        truth += more
    return "mixed", "，".join(texts) + "。7剂，水煎服", truth, 7
