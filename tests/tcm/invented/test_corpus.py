"""The corpus of the tiny base tells what the tables hold, and never a case or an answer as the study writes them."""

import random
import re
from functools import cache
from itertools import islice

from tcm import answers, knowledge
from tcm.answers.wording import case_text
from tcm.invented import corpus, invent_cases, textbook
from tcm.prescriptions.notation import read_prescription


@cache
def statements(number: int = 6000, patterns: int = 48) -> tuple[str, ...]:
    return tuple(islice(corpus.statements(0, patterns), number))


def test_the_same_arguments_give_the_same_statements() -> None:
    assert list(islice(corpus.statements(1, 48), 50)) == list(islice(corpus.statements(1, 48), 50))
    assert list(islice(corpus.statements(1, 48), 50)) != list(islice(corpus.statements(2, 48), 50))


def test_no_statement_has_the_answer_layout() -> None:
    assert [s for s in statements() if "中医诊断：" in s or "证型：" in s or "治法：" in s or "方剂：" in s] == []
    assert not any(answers.format_valid(s) for s in statements())


def test_no_invented_case_or_answer_stands_in_the_corpus() -> None:
    text = "".join(statements())
    for case in invent_cases(200, 0.5, seed=0, patterns=48):
        assert case_text(case) not in text and answers.write(case.answer) not in text


def test_chat_statements_open_and_close_every_turn() -> None:
    chats = [s for s in statements() if "<|im_start|>" in s]
    assert chats and all(s.count("<|im_start|>") == s.count("<|im_end|>") == 3 for s in chats)


def test_the_corpus_is_made_of_many_different_statements() -> None:
    assert len(set(statements())) > 0.6 * len(statements())


def test_every_statement_ends_with_a_stop() -> None:
    assert all(s.endswith(("。", "<|im_end|>\n")) for s in statements())


def test_the_corpus_of_an_edition_names_all_its_patterns_and_formulas() -> None:
    book, text = textbook.edition(48), "".join(statements(20_000))
    assert [p.syndrome for p in book.patterns if p.syndrome not in text] == []
    assert [f.name for f in book.formulas if f.name not in text] == []


def test_a_herb_statement_tells_range_toxicity_and_pregnancy() -> None:
    said = corpus.herb_statement(knowledge.herb_info("附子"), random.Random(0))
    assert said.startswith("附子，") and "3" in said and "15" in said and "孕妇" in said


def test_the_words_of_a_change_are_read_with_herbs_and_doses_before_any_case() -> None:
    text = "".join(statements())
    assert all(text.count(word) > 20 for word in ("守上方，", "，去", "，加", "增至", "减至"))


def test_every_worked_change_can_be_carried_out_on_the_prescription_before_it() -> None:
    chats = [s for s in statements() if "。调方？" in s]
    assert len(chats) > 100
    for said in chats:
        question, answer = re.search(r"处方：(.*?)。[^。]*。调方？.*assistant\n(.*)<\|im_end\|>", said, re.S).groups()
        before = read_prescription(question)
        now = read_prescription(answer, before.items)
        assert before.unread == now.unread == () and now.items, said


def test_a_dose_is_raised_or_lowered_within_the_range_of_its_herb() -> None:
    said = {corpus.dose_statement(knowledge.herb_info("黄芪"), random.Random(n)) for n in range(9)}
    herb = knowledge.herb_info("黄芪")
    low, high = f"{herb.dose_min_g:g}g", f"{herb.dose_max_g:g}g"
    assert said == {f"黄芪{low}，黄芪增至{high}。", f"黄芪{high}，黄芪减至{low}。"}
