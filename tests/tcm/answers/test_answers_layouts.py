"""One answer, in whatever layout a model writes it, is read as one answer and scored the same."""

import cProfile
import json
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tcm.answers import format_valid, parse, write
from tcm.cases import Answer, Case, PrescriptionItem, Visit
from tcm.knowledge import herbs as herb_table
from tcm.metrics import score_case
from tcm.prescriptions.writing import write_items

EFFECTS = (
    "补气升阳",
    "养血活血，调经止痛",
    "清热燥湿",
    "安神定志",
    "疏肝解郁；退热",
    "燥湿化痰",
    "利水消肿",
    "调和诸药",
)
FULL = {ord(c): ord(c) + 0xFEE0 for c in "0123456789.gml"}
HALF = str.maketrans("：，。；（）", ":,.;()")


def dose(item, unit="g"):
    return (
        ""
        if item.dose is None
        else write_items([item.model_copy(update={"herb": "X", "note": ""})])[1:].replace("g", unit)
    )


def note(item):
    return item.note and f"（{item.note}）"


def effect(number):
    return EFFECTS[number % len(EFFECTS)]


def fields(answer, line="{label}：{value}\n", names=("中医诊断", "证型", "治法", "方剂")):
    values = (answer.disease, answer.syndrome, answer.treatment_principle, answer.formula)
    return "".join(line.format(label=label, value=value) for label, value in zip(names, values, strict=True))


def each(answer, line):
    """One line a herb; `line` may use i (from 1), herb, dose, gram (dose with 克), note, effect."""
    return "\n".join(
        line.format(i=i, herb=x.herb, dose=dose(x), gram=dose(x, " 克"), note=note(x), bare=x.note, effect=effect(i))
        for i, x in enumerate(answer.prescription, 1)
    )


def taking(answer, line="{label}：{value}\n"):
    return line.format(label="用法", value=f"{answer.packets}剂，{answer.usage}")


BOLD = "**{label}**：{value}\n\n"
BOXED = "【{label}】{value}\n"
HEADED = "### {label}\n{value}\n\n"
ENGLISH = ("TCM diagnosis", "Syndrome", "Treatment principle", "Formula")
ZH_KEYS = ("中医诊断", "证型", "治法", "方剂")
EN_KEYS = ("tcm_diagnosis", "syndrome", "treatment_principle", "formula")


def table(answer, columns, head=True, edge="| ", end=" |"):
    cells = {
        "药物": "{herb}",
        "剂量": "{dose}",
        "作用": "{effect}",
        "备注": "{bare}",
        "序号": "{i}",
        "药物剂量": "{herb} {dose}",
    }
    rows = (
        edge + " | ".join(columns) + end + "\n" + edge + " | ".join("---" for _ in columns) + end + "\n" if head else ""
    )
    return rows + each(answer, edge + " | ".join(cells[c] for c in columns) + end)


def objects(answer, keys=("药名", "剂量", "备注", "功效"), number=False):
    return [
        {
            keys[0]: x.herb,
            keys[1]: x.dose if number and x.unit == "g" and not x.dose_high else dose(x),
            keys[2]: x.note,
            keys[3]: effect(i),
        }
        for i, x in enumerate(answer.prescription)
    ]


def labelled(answer, keys, herb_key, herbs, **more):
    values = (answer.disease, answer.syndrome, answer.treatment_principle, answer.formula)
    return dict(zip(keys, values, strict=True)) | {herb_key: herbs} | more


def dumped(value, indent=None):
    return json.dumps(value, ensure_ascii=False, indent=indent)


DRAFT = "先想：会不会是头痛？中医诊断：头痛。处方：川芎9g，白芷6g，细辛3g。不对，应再想。"

LAYOUTS = {
    "own": write,
    "half-width": lambda a: write(a).replace("。", "。 ").translate(HALF),
    "full-width digits": lambda a: write(a).translate(FULL),
    "one field a line": lambda a: fields(a) + f"处方：{write_items(a.prescription)}\n" + taking(a),
    "bold labels": lambda a: fields(a, BOLD) + f"**处方**：{write_items(a.prescription)}\n\n" + taking(a, BOLD),
    "boxed labels": lambda a: (
        fields(a, BOXED) + "【处方】\n" + each(a, "{herb} {dose}{note}") + "\n" + taking(a, BOXED)
    ),
    "numbered fields": lambda a: (
        "一、中医诊断："
        + fields(a)[5:].replace("证型：", "二、证型：").replace("治法：", "三、治法：")
        + "五、处方：\n"
        + each(a, "{herb}{dose}{note}")
        + "\n六、"
        + taking(a)
    ),
    "bold list, effect after colon": lambda a: (
        fields(a, BOLD) + "**处方**：\n" + each(a, "- **{herb}** {dose}{note}：{effect}") + "\n\n" + taking(a, BOLD)
    ),
    "bold list, colon in the bold": lambda a: (
        fields(a, HEADED) + "### 处方\n" + each(a, "* **{herb}：** {dose}{note}，{effect}") + "\n\n" + taking(a, HEADED)
    ),
    "numbered, effect in brackets": lambda a: (
        fields(a, BOLD) + "**处方：**\n" + each(a, "{i}. {herb} {gram}{note}（{effect}）") + "\n\n" + taking(a, BOLD)
    ),
    "numbered, 作用 behind": lambda a: (
        fields(a) + "处方：\n" + each(a, "{i}、{herb}{dose}{note}，作用：{effect}。") + "\n" + taking(a)
    ),
    "numbered, 作用 below": lambda a: (
        fields(a, HEADED)
        + "## 处方组成\n\n"
        + each(a, "{i}. **{herb}** {dose}{note}\n   - 作用：{effect}")
        + "\n\n"
        + taking(a, HEADED)
    ),
    "numbered, all below": lambda a: (
        fields(a, HEADED)
        + "## 处方\n\n"
        + each(a, "{i}. **{herb}**\n   - 剂量：{dose}\n   - 用法：{bare}\n   - 功效：{effect}")
        .replace("   - 用法：\n", "")
        .replace("   - 剂量：\n", "")
        + "\n\n"
        + taking(a, HEADED)
    ),
    "circled numbers": lambda a: (
        fields(a) + "处方：\n" + each(a, "①{herb} {dose}{note} —— {effect}") + "\n" + taking(a)
    ),
    "dash": lambda a: fields(a) + "处方：\n" + each(a, "{herb} {dose}{note} — {effect}") + "\n" + taking(a),
    "hyphen": lambda a: fields(a) + "处方：\n" + each(a, "- {herb} {dose}{note} - {effect}") + "\n" + taking(a),
    "colon before the dose": lambda a: (
        fields(a) + "处方：\n" + each(a, "- {herb}：{dose}{note}（{effect}）") + "\n" + taking(a)
    ),
    "effect before the dose": lambda a: (
        fields(a) + "处方：\n" + each(a, "- {herb}：{effect}，{dose}{note}") + "\n" + taking(a)
    ),
    "in one sentence": lambda a: (
        fields(a)
        + "处方："
        + each(a, "{herb}{dose}{note}：{effect}，").replace("\n", "").rstrip("，")
        + "。\n"
        + taking(a)
    ),
    "roles": lambda a: (
        fields(a, HEADED)
        + "### 处方\n- **君药**：\n"
        + each(a, "  - {herb} {dose}{note}：{effect}")
        + "\n- **用法**："
        + f"{a.packets}剂，{a.usage}"
    ),
    "table": lambda a: (
        fields(a, BOLD) + "**处方**：\n\n" + table(a, ("药物", "剂量", "备注", "作用")) + "\n\n" + taking(a, BOLD)
    ),
    "table, other order": lambda a: (
        fields(a, HEADED)
        + "### 处方\n\n"
        + table(a, ("序号", "作用", "剂量", "药物", "备注"))
        + "\n\n"
        + taking(a, HEADED)
    ),
    "table without head": lambda a: (
        fields(a, HEADED)
        + "### 处方\n\n"
        + table(a, ("药物", "剂量", "作用", "备注"), head=False)
        + "\n\n"
        + taking(a, HEADED)
    ),
    "table without edges": lambda a: (
        fields(a, HEADED)
        + "### 处方\n\n"
        + table(a, ("药物", "作用", "剂量", "备注"), edge="", end="")
        + "\n\n"
        + taking(a, HEADED)
    ),
    "table of fields": lambda a: (
        "| 项目 | 内容 |\n|---|---|\n"
        + fields(a, "| **{label}** | {value} |\n")
        + f"| 处方 | {write_items(a.prescription)} |\n"
        + taking(a, "| {label} | {value} |\n")
    ),
    "HTML table": lambda a: (
        fields(a, "<p><b>{label}</b>：{value}</p>")
        + "<h3>处方</h3><table><tr><th>药物</th><th>剂量</th><th>备注</th></tr>"
        + each(a, "<tr><td>{herb}</td><td>{dose}</td><td>{bare}</td></tr>")
        + "</table>"
        + taking(a, "<p>{label}：{value}</p>")
    ),
    "fenced": lambda a: f"```text\n{write(a)}\n```",
    "quoted": lambda a: (
        "> " + (fields(a) + "处方：\n" + each(a, "{herb} {dose}{note}") + "\n" + taking(a)).replace("\n", "\n> ")
    ),
    "JSON, objects": lambda a: dumped(labelled(a, ZH_KEYS, "处方", objects(a), 剂数=a.packets, 用法=a.usage)),
    "JSON, English": lambda a: dumped(
        labelled(
            a,
            EN_KEYS,
            "prescription",
            objects(a, ("herb", "dose", "note", "effect"), True),
            packets=a.packets,
            usage=a.usage,
        ),
        2,
    ),
    "JSON, name to dose": lambda a: (
        "```json\n"
        + dumped(
            labelled(
                a,
                ZH_KEYS,
                "药物组成",
                {x.herb: dose(x) + note(x) for x in a.prescription},
                剂数=f"{a.packets}剂",
                用法=a.usage,
            ),
            2,
        )
        + "\n```"
    ),
    "JSON, one text": lambda a: dumped(
        labelled(a, ZH_KEYS, "处方", write_items(a.prescription), 用法=f"{a.packets}剂，{a.usage}")
    ),
    "JSON, texts": lambda a: dumped(
        labelled(
            a,
            ZH_KEYS,
            "处方",
            [f"{x.herb} {dose(x)}{note(x)}" for x in a.prescription],
            用法=f"{a.packets}剂，{a.usage}",
        )
    ),
    "JSON, nested": lambda a: dumped(
        {"answer": labelled(a, EN_KEYS, "prescription", {"herbs": objects(a), "packets": a.packets, "usage": a.usage})}
    ),
    "JSON, nested in 处方": lambda a: dumped(
        {
            "诊断": {"中医诊断": a.disease, "证型": a.syndrome},
            "治法": a.treatment_principle,
            "处方": {
                "方剂": a.formula,
                "药物": objects(a, ("药物", "用量", "煎法", "作用")),
                "剂数": a.packets,
                "用法": a.usage,
            },
        }
    ),
    "Python object": lambda a: str(labelled(a, ZH_KEYS, "处方", objects(a), 剂数=a.packets, 用法=a.usage)),
    "English labels": lambda a: (
        fields(a, "{label}: {value}\n", ENGLISH)
        + "Prescription: "
        + write_items(a.prescription)
        + f"\nUsage: {a.packets}剂，{a.usage}"
    ),
    "English headings": lambda a: (
        fields(a, "## {label}\n{value}\n\n", ENGLISH)
        + "## Prescription\n"
        + each(a, "- {herb} (Huangqi) {dose}{note}: tonifies qi")
        + f"\n\n## Administration\n{a.packets}剂，{a.usage}"
    ),
    "two languages": lambda a: (
        fields(a, "**{label} (in Chinese)**: {value}\n")
        + "**处方 (Prescription)**:\n"
        + each(a, "{i}. {herb} {dose}{note} - {effect}")
        + f"\n\n**用法 (Usage)**: {a.packets}剂，{a.usage}"
    ),
    "<think>": lambda a: f"<think>\n{DRAFT}\n</think>\n\n" + write(a),
    "thought opened in the prompt": lambda a: f"{DRAFT}</think>" + write(a),
    "begin_of_thought": lambda a: (
        f"<|begin_of_thought|>{DRAFT}<|end_of_thought|><|begin_of_solution|>{write(a)}<|end_of_solution|>"
    ),
    "thinking under a heading": lambda a: (
        f"## Thinking\n\n{DRAFT}\n\n## Final Response\n\n"
        + fields(a)
        + "处方：\n"
        + each(a, "{i}. {herb} {dose}{note}")
        + "\n"
        + taking(a)
    ),
    "harmony channels": lambda a: (
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{write(a)}<|return|>"
    ),
    "answer tag": lambda a: f"{DRAFT}<answer>{write(a)}</answer>",
}

WORDS = st.text(st.sampled_from("肝郁脾虚心肾气血阴阳湿热痰瘀"), min_size=2, max_size=6)
ITEMS = st.lists(
    st.builds(
        PrescriptionItem,
        herb=st.sampled_from(sorted(herb_table())),
        dose=st.integers(1, 60) | st.sampled_from([0.5, 1.5, 4.5]),
        dose_high=st.none(),
        unit=st.sampled_from(["g", "g", "g", "g", "枚", "条", "ml"]),
        note=st.sampled_from(["", "", "", "先煎", "后下", "包煎", "去核", "研末，分2次冲服", "先煎30分钟"]),
    )
    | st.builds(
        PrescriptionItem, herb=st.sampled_from(sorted(herb_table())), dose=st.just(9), dose_high=st.integers(10, 15)
    ),
    min_size=2,
    max_size=10,
    unique_by=lambda item: item.herb,
).map(tuple)
ANSWERS = st.builds(
    Answer,
    disease=WORDS,
    syndrome=WORDS,
    treatment_principle=st.lists(WORDS, min_size=1, max_size=2).map("，".join),
    formula=WORDS.map(lambda word: f"{word}汤加减"),
    prescription=ITEMS,
    packets=st.integers(1, 30),
    usage=st.sampled_from(["水煎服", "每日1剂，水煎，早晚分服", "水煎，温服"]),
)


def narrow(answer):
    """An answer with half-width digits and punctuation in its texts."""
    return Answer.model_validate_json(unicodedata.normalize("NFKC", answer.model_dump_json()).replace("。", "."))


def test_there_are_more_than_twenty_layouts():
    assert len(LAYOUTS) >= 20


@pytest.mark.parametrize("layout", LAYOUTS)
@given(answer=ANSWERS)
@settings(max_examples=10, deadline=None)
def test_one_answer_has_one_reading_in_every_layout(layout, answer):
    assume(parse(write(answer)).answer == answer)
    text = LAYOUTS[layout](answer)
    parsed = parse(text)
    assert narrow(parsed.answer) == narrow(answer), text
    assert parsed.unread == (), text


CASE_ANSWER = Answer(
    disease="不寐",
    syndrome="心脾两虚",
    treatment_principle="补益心脾",
    formula="归脾汤加减",
    prescription=tuple(
        PrescriptionItem(herb=herb, dose=dose, note=note)
        for herb, dose, note in (("黄芪", 30, ""), ("当归", 10, ""), ("龙骨", 20, "先煎"), ("炙甘草", 6, ""))
    ),
    packets=7,
    usage="水煎服",
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_herbs_score_the_same_in_every_layout(layout):
    case = Case(id="c", source="invented", patient_id="p", visit=Visit(chief_complaint="失眠"), answer=CASE_ANSWER)
    scores = score_case(case, LAYOUTS[layout](CASE_ANSWER))
    for metric in ("herb_f1", "herb_base_f1", "syndrome_exact", "disease_exact", "formula_exact", "principle_f1"):
        assert scores[metric] == 1.0, metric
    assert scores["dose_in_range"] == score_case(case, write(CASE_ANSWER))["dose_in_range"]


@pytest.mark.parametrize(
    ("text", "herbs"),
    [
        ("处方：\n- 党参 15g\n- 白术、茯苓 各12g：健脾\n- 肉桂 3g（后下，温阳）", "党参15 白术12 茯苓12 肉桂3（后下）"),
        ("处方：1. 党参15g（健脾），2. 白术12g（燥湿）。5剂", "党参15 白术12"),
        ("处方：党参15g：与白术同用，补气，茯苓12g：利水，5剂，水煎服。", "党参15 茯苓12"),
        ("处方：\n- **Dang Shen (党参)** - 15g: tonifies qi\n- Bai Zhu 白术 12 g", "党参15 白术12"),
        ("处方：\n1. 党参三钱：补气\n2. 白术（12g，健脾）", "党参3 白术12"),
        (
            "处方：\n| 药物 | 剂量 | 药物 | 剂量 |\n|-|-|-|-|\n| 党参 | 15g | 白术 | 12g |\n| 茯苓 | 9g | | |",
            "党参15 白术12 茯苓9",
        ),
        ("处方：\n| 药物 | 党参 | 白术 |\n|-|-|-|\n| 剂量 | 15g | 12g |", "党参15 白术12"),
        ("| No. | Herb | Dosage (g) | Function |\n|-|-|-|-|\n| 1 | 党参 | 15 | tonifies qi |", "党参15"),
        ("### 理中汤加减\n- 党参 15g\n- 干姜 6g\n\n### 药物解析\n- 附子 9g：可酌加", "党参15 干姜6"),
        ('处方：[{"药物": "党参", "剂量": 15}, {"药物": "白术", "剂量": "12 克（炒）"}]', "党参15 白术12（炒）"),
        ('{"处方": {"党参": {"剂量": "15g", "作用": "补气"}, "白术": 12}, "剂数": 5}', "党参15 白术12"),
        ('{"prescription": "1. 党参 15g：补气\\n2. 白术 12g：健脾", }', "党参15 白术12"),
        ("处方：\n- 党参：补气\n- 白术（健脾）", "党参 白术"),
    ],
)
def test_what_models_write_about_herbs_is_no_herb(text, herbs):
    items = parse(text).answer.prescription
    assert " ".join(f"{x.herb}{x.dose:g}{note(x)}" if x.dose else x.herb for x in items) == herbs


def test_an_answer_that_was_cut_off_is_read_as_far_as_it_goes_and_said():
    parsed = parse('{"证型": "脾虚", "处方": [{"药名": "党参", "剂量": "15g"}, {"药名": "白术", "剂量": "1')
    assert parsed.answer.herbs == ("党参", "白术")
    assert "cut off" in parsed.unread[-1]


@pytest.mark.parametrize(
    "text",
    [
        "<think>\n" + DRAFT,
        "<Thinking>" + DRAFT,
        "<|begin_of_thought|>" + DRAFT,
        "<reasoning>" + DRAFT,
        f"<think>{DRAFT}</think><think>{DRAFT}",
        f"好的。[THINK]{DRAFT}",
    ],
)
def test_a_thought_that_never_ends_leaves_no_answer_and_is_said(text):
    parsed = parse(text)
    assert parsed.answer == Answer()
    assert DRAFT in parsed.unread
    assert not format_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{DRAFT}<think>{DRAFT}</think>{DRAFT}</think>" + write(CASE_ANSWER),
        f"<think>{DRAFT}" * 3 + "</think>" + write(CASE_ANSWER),
        f"<think>{'长' * 30_000}{DRAFT}</think>" + write(CASE_ANSWER),
        "＜think＞" + DRAFT + "＜/think＞" + write(CASE_ANSWER),
    ],
)
def test_no_draft_is_taken_for_the_answer(text):
    assert parse(text).answer == CASE_ANSWER
    assert parse(text).unread == ()
    assert parse(text).remarks


def test_only_the_layout_that_is_asked_for_is_valid_and_a_thought_does_not_count():
    thoughts = {"<think>", "thought opened in the prompt", "begin_of_thought", "answer tag"}
    valid = {name for name, layout in LAYOUTS.items() if format_valid(layout(CASE_ANSWER))}
    assert valid == {"own", "half-width", "full-width digits", "one field a line"} | thoughts


PIECES = st.sampled_from(
    [
        "|",
        "- ",
        "\n",
        "**",
        "{",
        "}",
        '"',
        "<think>",
        "</think>",
        "<td>",
        "# ",
        "1. ",
        "①",
        "黄芪",
        "10g",
        "：",
        "（",
        "）",
        "—",
        "处方",
    ]
)


@given(st.sampled_from(sorted(LAYOUTS)), st.data())
@settings(max_examples=150, deadline=None)
def test_no_damaged_layout_raises(layout, data):
    text = LAYOUTS[layout](CASE_ANSWER)
    for _ in range(4):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(PIECES) + text[at + data.draw(st.integers(0, 5)) :]
    write(parse(text).answer)
    format_valid(text)


@pytest.mark.parametrize(
    "unit",
    [
        "|a|b|\n",
        "水煎\n",
        "  - 用法：先煎\n",
        '{"a":',
        "[{'a':",
        "<think>",
        "</think>",
        "①黄芪",
        "黄芪 10g：",
        "\n- ",
        "<td>",
        "# x\n",
        "a ",
    ],
)
def test_reading_a_layout_takes_time_in_proportion_to_its_length(unit):
    def calls(length):
        profile = cProfile.Profile()
        profile.runcall(parse, "- 黄芪 10g\n" + unit * (length // len(unit)))
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(16_000) < 6 * calls(4_000) + 1_000
