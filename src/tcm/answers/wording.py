"""A case as Chinese text: everything that is known before the answer, each field under its Chinese name."""

from tcm.answers.reading import write
from tcm.cases import Case, Patient, Visit


def age_text(age: float | None) -> str:
    """An age in years as records give it: years (and months), below two years months, below one month days."""
    if age is None:
        return ""
    if age >= 2:
        years, months = divmod(round(age * 12), 12)
        return f"{age:g}岁" if age == round(age, 1) or not months else f"{years}岁{months}个月"
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
        lines.append(f"第{number}诊：{visit_text(visit)}{write(visit.answer) if visit.answer else ''}")
    lines.append(("复诊：" if case.earlier_visits else "") + visit_text(case.visit))
    return "\n".join(lines)
