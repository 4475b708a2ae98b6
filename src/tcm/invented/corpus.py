"""The text that the tiny base model is pre-trained on: statements written from the knowledge tables.

A real base model has read textbooks and case books and has answered questions; the tiny one reads these statements,
more than half of them a question and its answer in the chat layout. They say what herbs, formulas and patterns are, in
many wordings, tell short cases in prose, and answer *one* question at a time. They never show the task itself: no
answer has the study's layout or all of its fields, nothing is modified for a patient at a first visit, no dose is
fitted to an age. What SFT and DPO add can so be told from what the base brings along.

Punctuation sets every term apart, so that the tokenizer gives it one token, the same wherever it stands; and every
word of the study's layout occurs somewhere: an adapter cannot teach a token whose embedding was never trained.
"""

import random
from collections.abc import Callable, Iterator

from tcm import knowledge
from tcm.cases import PrescriptionItem
from tcm.invented import textbook
from tcm.knowledge import Formula, Herb, Pattern
from tcm.prescriptions.writing import write_changes


def _join(items, rng: random.Random, share: float = 1.0) -> str:
    kept = [item for item in items if rng.random() < share] or list(items[:1])
    rng.shuffle(kept)
    return "，".join(kept)


def _doses(composition) -> str:
    """Herbs with doses, and how they are boiled where that is not as usual: 附子9g（先煎）."""
    return "，".join(f"{herb}{dose:g}g{_handling(herb)}" for herb, dose in composition)


def _handling(herb: str) -> str:
    handling = knowledge.herb_info(herb).handling
    return f"（{handling}）" if handling else ""


def herb_statement(herb: Herb, rng: random.Random) -> str:
    """What is known of one herb, in one sentence."""
    parts = [f"{herb.name}"]
    if herb.dose_min_g and herb.dose_max_g:
        parts.append(
            rng.choice(("用量{}～{}g", "煎服{}～{}g", "成人日用{}～{}g")).format(
                f"{herb.dose_min_g:g}", f"{herb.dose_max_g:g}"
            )
        )
    if herb.toxicity:
        parts.append(f"有{herb.toxicity}")
    if herb.pregnancy:
        parts.append(f"孕妇{herb.pregnancy}")
    if herb.handling:
        parts.append(f"宜{herb.handling}")
    if herb.base != herb.name:
        parts.append(f"为{herb.base}的炮制品")
    return "，".join(parts) + "。"


def formula_statement(formula: Formula, rng: random.Random) -> str:
    """Composition, doses and effect of one formula."""
    doses = _doses(formula.composition)
    return rng.choice(
        (
            f"{formula.name}的组成：{doses}，功能：{formula.effect}。",
            f"{formula.name}：{doses}。功用：{formula.effect}。",
            f"{formula.effect}，方用：{formula.name}，药用：{doses}。",
            f"{formula.name}，{doses}。",
        )
    )


def pattern_statement(pattern: Pattern, rng: random.Random) -> str:
    """One disease-syndrome pattern: findings, pathogenesis, treatment."""
    findings = _join(pattern.key_symptoms + pattern.other_symptoms, rng, 0.8)
    signs, formula = _signs(pattern), rng.choice(pattern.formulas)
    return rng.choice(
        (
            f"{pattern.disease}，{pattern.syndrome}，症见：{findings}，{signs}。宜：{pattern.treatment_principle}，方用：{formula}。",
            f"{findings}，{signs}，属：{pattern.disease}，{pattern.syndrome}，{pattern.treatment_principle}，{formula}，主之。",
            f"{pattern.disease}，见：{findings}，{signs}，为：{pattern.syndrome}，{pattern.pathogenesis}，选：{formula}。",
            f"{pattern.syndrome}，{pattern.disease}，治以：{pattern.treatment_principle}，用：{formula}加减。",
        )
    )


def _signs(pattern: Pattern) -> str:
    return f"{'，'.join(pattern.tongue)}，脉{''.join(pattern.pulse)}"


def _say(symptom: str, rng: random.Random) -> str:
    """A symptom, one time in three in other words."""
    others = knowledge.symptom_synonyms().get(symptom, ())
    return rng.choice(others) if others and rng.random() < 1 / 3 else symptom


def note_statement(pattern: Pattern, rng: random.Random) -> str:
    """A short note in prose from findings to doses, half of them on to a second visit, as case books have them.

    The second visit names the whole prescription again: this is where the model learns to look back and repeat.
    """
    formula = rng.choice(pattern.formulas)
    herbs = knowledge.compose(formula)
    said = _join([_say(s, rng) for s in (*pattern.key_symptoms, *pattern.other_symptoms)], rng, 0.7)
    who = f"{rng.choice('男女')}，{rng.randint(1, 80)}岁"
    usage = f"{rng.choice((3, 5, 7))}剂，水煎服"
    note = (
        f"某患，{who}，{said}，{_signs(pattern)}。断为：{pattern.disease}，证属：{pattern.syndrome}，"
        f"治以：{pattern.treatment_principle}，予：{formula}，{_doses(herbs.items())}。{usage}。"
    )
    if not pattern.modifications or rng.random() < 0.5:
        return note
    changed, seen = _changed(pattern, herbs, rng)
    now = rng.choice((f"改用：{_doses(changed.items())}", _change(herbs, changed)))
    return f"{note}复诊：药后，{_say(pattern.key_symptoms[0], rng)}，减轻。{seen}。{now}。"


def _changed(pattern: Pattern, herbs: dict[str, float], rng: random.Random) -> tuple[dict[str, float], str]:
    """A prescription changed by a rule 加减, and the finding that calls for it."""
    rule = rng.choice(pattern.modifications)
    kept = {herb: dose for herb, dose in herbs.items() if herb not in rule.remove}
    return kept | dict(rule.add), f"现：{_say(rule.symptom, rng)}"


def _change(before: dict[str, float], after: dict[str, float]) -> str:
    """What differs between two prescriptions, as physicians write it: 守上方，去柴胡，加白术10g."""
    return write_changes(*([_item(herb, dose) for herb, dose in side.items()] for side in (before, after)))


def _item(herb: str, dose: float) -> PrescriptionItem:
    return PrescriptionItem(herb=herb, dose=dose, note=knowledge.herb_info(herb).handling)


def modification_statement(pattern: Pattern, rng: random.Random) -> str:
    """One rule 加减 of a pattern, in few words: there are four times as many rules as patterns, each to be met."""
    rule = rng.choice(pattern.modifications)
    change = _change(dict.fromkeys(rule.remove, 9), dict(rule.add)).removeprefix("守上方，")
    seen = f"{rng.choice('兼若现')}：{_say(rule.symptom, rng)}"
    return rng.choice((f"{pattern.disease}，{pattern.syndrome}，{seen}，{change}。", f"{seen}，{change}。"))


def dose_statement(herb: Herb, rng: random.Random) -> str:
    """A dose raised or lowered, from one end of the herb's range to the other."""
    low, high = f"{herb.dose_min_g:g}g", f"{herb.dose_max_g:g}g"
    return rng.choice((f"{herb.name}{low}，{herb.name}增至{high}。", f"{herb.name}{high}，{herb.name}减至{low}。"))


def synonym_statement(symptom: str, synonyms: tuple[str, ...], rng: random.Random) -> str:
    """Other words for one symptom."""
    other = rng.choice(synonyms)
    return rng.choice((f"{other}，即：{symptom}。", f"{symptom}，又称：{other}。"))


def chat(question: str, answer: str) -> str:
    """A question and its answer in the ChatML layout."""
    turns = (("system", "你是中医助手。"), ("user", question), ("assistant", answer))
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)


def record_chat(pattern: Pattern, rng: random.Random) -> str:
    """Findings as a record has them, and one question about them: disease, syndrome, principle, formula or herbs."""
    said = [_say(s, rng) for s in (*pattern.key_symptoms, *pattern.other_symptoms) if rng.random() < 0.75]
    rng.shuffle(said)
    signs = f"舌：{'，'.join(pattern.tongue)}。脉：脉{''.join(pattern.pulse)}。"
    record = f"主诉：{'，'.join(said[:2])}。现病史：{'，'.join(said[2:])}。{signs}"
    formula = pattern.formulas[0]
    asked = {
        "中医诊断": pattern.disease,
        "证型": pattern.syndrome,
        "治法": pattern.treatment_principle,
        "方剂": formula,
        "处方": _doses(knowledge.compose(formula).items()),
    }
    field = rng.choice(list(asked))
    say = rng.choice(("{1}。", "{0}为：{1}。"))
    return chat(f"{record}{field}？", say.format(field, asked[field]))


def change_chat(pattern: Pattern, rng: random.Random) -> str:
    """A prescription, how the patient is, and the question what to give now: the whole prescription, or the change.

    A finding came, or one went that a rule 加减 had answered, or the main one stays, or nothing is left to change.
    Which dose is raised for what stays, and how far, is each physician's habit: here it is any of the first herbs.
    """
    herbs = knowledge.compose(rng.choice(pattern.formulas))
    changed, seen = _changed(pattern, herbs, rng)
    turn = rng.random()
    if turn < 0.2:
        herbs, changed, seen = changed, herbs, f"{seen.removeprefix('现：')}，已除"
    elif turn < 0.35:
        herb = rng.choice(list(herbs)[:3])
        changed, seen = {**herbs, herb: herbs[herb] * 1.5}, f"{_say(rng.choice(pattern.key_symptoms), rng)}，仍在"
    elif turn < 0.4:
        changed, seen = herbs, f"{_say(rng.choice(pattern.key_symptoms), rng)}，减轻"
    if rng.random() < 0.35:
        ask, answer = "处方", rng.choice(("{}。", "处方为：{}。")).format(_doses(changed.items()))
    else:
        ask, answer = "调方", f"{_change(herbs, changed)}。"
    return chat(f"处方：{_doses(herbs.items())}。{seen}。{ask}？", answer)


def formula_chat(formula: Formula, rng: random.Random) -> str:
    """One question about a formula: what it holds."""
    ask = rng.choice(("{}，由什么组成？", "{}，药物和剂量？", "写出：{}。"))
    return chat(ask.format(formula.name), f"{_doses(formula.composition)}。")


def facts(patterns: int = 0) -> list[str]:
    """Every herb and formula of an edition, told once: a sample of `statements` may miss what changed in the tables.

    Args:
        patterns: edition of the textbook, see `textbook.edition`.
    """
    rng, book = random.Random("facts"), textbook.edition(patterns)
    return [herb_statement(h, rng) for h in book.herbs] + [formula_statement(f, rng) for f in book.formulas]


def statements(seed: int, patterns: int = 0) -> Iterator[str]:
    """An endless stream of statements; the same arguments give the same stream.

    The shares are our choice: most of the text ties findings to patterns and patterns to herbs with doses, since that
    is what a physician learns first.

    Args:
        seed: of every random choice.
        patterns: edition of the textbook, see `textbook.edition`.
    """
    rng = random.Random(f"corpus-{seed}")
    book = textbook.edition(patterns)
    known = {
        s for p in book.patterns for s in (*p.key_symptoms, *p.other_symptoms, *(m.symptom for m in p.modifications))
    }
    synonyms = [(s, others) for s, others in knowledge.symptom_synonyms().items() if s in known]
    dosed = [h for h in book.herbs if h.dose_min_g and h.dose_max_g]
    modified = [p for p in book.patterns if p.modifications]
    writers: list[tuple[float, Callable[[], str]]] = [
        (0.03, lambda: herb_statement(rng.choice(book.herbs), rng)),
        (0.02, lambda: dose_statement(rng.choice(dosed), rng)),
        (0.05, lambda: formula_statement(rng.choice(book.formulas), rng)),
        (0.07, lambda: pattern_statement(rng.choice(book.patterns), rng)),
        (0.12, lambda: note_statement(rng.choice(book.patterns), rng)),
        (0.20, lambda: modification_statement(rng.choice(modified), rng)),
        (0.03 if synonyms else 0.0, lambda: synonym_statement(*rng.choice(synonyms), rng)),
        (0.44, lambda: record_chat(rng.choice(book.patterns), rng)),
        (0.14, lambda: change_chat(rng.choice(modified), rng)),
        (0.06, lambda: formula_chat(rng.choice(book.formulas), rng)),
    ]
    weights, makers = zip(*writers, strict=True)
    while True:
        yield rng.choices(makers, weights)[0]()
