"""The only place with the text that a policy is asked: a case as chat messages, an answer as a chat message.

(The text that a judge is asked lies beside the judges.) The answer layout is that of arXiv 2411.00897, with 证型 added.
"""

from tcm_rlaif import answers
from tcm_rlaif.cases import Answer, Case, Patient, Visit

SYSTEM = "你是中医师。请按以下格式作答：中医诊断：…。证型：…。治法：…。方剂：…。处方：…。"
ASK = {"first_visit": "请诊治。", "follow_up_visit": "请复诊调方。"}

# What every case and answer says in the same words: the tiny tokenizer gives these whole tokens, the layout's words
# even where something follows without punctuation.
LAYOUT_WORDS = ("患者", "主诉", "现病史", "中医诊断", "证型", "治法", "方剂", "处方", "复诊", "水煎服", "加减")
FIXED_WORDING = (
    *LAYOUT_WORDS,
    *("舌", "脉", "诊", "剂", "岁"),
    *("先煎", "后下", "包煎", "烊化", "另煎", "冲服", "system", "user", "assistant", SYSTEM, *ASK.values()),
)  # fmt: skip


def age_text(age: float | None) -> str:
    """An age in years as records give it: years, below two years months, below one month days."""
    if age is None:
        return ""
    if age >= 2:
        return f"{age:g}岁"
    return f"{age * 12:.0f}个月" if age * 12 >= 1 else f"{age * 365:.0f}天"


def patient_text(patient: Patient) -> str:
    """Who is treated, e.g. `女，45岁，妊娠`; unknown parts are left out."""
    return "，".join(part for part in (patient.sex, age_text(patient.age), "妊娠" if patient.pregnant else "") if part)


def visit_text(visit: Visit) -> str:
    """The findings of one visit, each under its Chinese name; missing ones are left out."""
    named = (("主诉", visit.chief_complaint), ("现病史", visit.history), ("舌", visit.tongue), ("脉", visit.pulse))
    return "".join(f"{name}：{text.rstrip('。')}。" for name, text in named if text)


def case_text(case: Case) -> str:
    """Everything that is known before the answer, in the order of the visits."""
    lines = [f"患者：{patient_text(case.patient)}。"] if patient_text(case.patient) else []
    for number, visit in enumerate(case.earlier_visits, 1):
        lines.append(f"第{number}诊：{visit_text(visit)}{answers.write(visit.answer) if visit.answer else ''}")
    lines.append(("复诊：" if case.earlier_visits else "") + visit_text(case.visit))
    return "\n".join(lines)


def prompt(case: Case) -> list[dict[str, str]]:
    """The messages that pose a case to a policy, in TRL's conversational format."""
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{case_text(case)}\n{ASK[case.task]}"},
    ]


def completion(answer: Answer | str) -> list[dict[str, str]]:
    """An answer as the assistant's message."""
    return [{"role": "assistant", "content": answer if isinstance(answer, str) else answers.write(answer)}]
