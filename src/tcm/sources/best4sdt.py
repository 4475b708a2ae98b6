"""TCM-BEST4SDT: free-text cases with disease, syndrome, principle and a prescription with doses.

Three kinds of record lie in one file, and `Case.source` says which one a case is:

* ``best4sdt/clinical``: modern clinical records, known by a date of the visit;
* ``best4sdt/classical``: retold cases whose prescription is written in the hand of Zhang Xichun's school of the 1920s
  (医学衷中参西录): herbs by the names of `SCHOOL`, or prepared as that school prepares them (捣细, 轧细);
* ``best4sdt/vignette``: all others, short cases in modern dress.
"""

import re
from pathlib import Path

from tcm.answers import parse
from tcm.cases import Case, CaseError
from tcm.prescriptions.doses import count
from tcm.sources.reading import json_list, public_case

SCHOOL = re.compile("箭芪|杭芍|萸肉|台参|潞参|野党参|生怀山药|怀地黄|鲜茅根|广三七|旱三七|离中丹|[捣轧]|细末|钱半|头末")
"""What shows the hand of that school in a prescription."""
_DATED = re.compile(r"(?:19|20)\d{2}年\d{1,2}月")
_FIELDS = ("证型", "治则治法", "药物组成及用量", "随症加减", "煎服方法")
_HAN_NUMBER = "[一二三四五六七八九十]{1,4}"
_AGE = re.compile(rf"(?:(\d{{1,3}})|(?:年|近|约)?({_HAN_NUMBER}))(?:余|多)?(?:周?岁|旬)(半)?(?:(\d{{1,2}})个?月)?")
_SAID_AGE = re.compile(rf"我(?:今|现)?(?:年近|年过|年方|年)({_HAN_NUMBER})(?:余|有余)?(?=[，,。])")
_SEX = re.compile("男|女|妇|孕|妊娠|月经|产后|丈夫")
_PREGNANT = re.compile("孕妇|怀孕[^，。]{1,4}个月的|妊娠逾")
_TASK = re.compile(r"请(?:根据|结合|依据)[^。\n]*[。\n]?|[^。，\n]*中医诊断为[^。\n]*。?")
_COMPLAINT = re.compile(
    r"(?<!为)(?:主诉\s*[:：]?|主因)\s*[“\"]([^”\"]+)[”\"][，,。]?|(?<!为)主诉\s*[:：]?\s*([^。\n]+)[。\n]?"
)
_TONGUE = re.compile("(?:查体|望诊)?[:：]?(?:舌(?!脉)|苔)")
_PULSE = re.compile("(?!.{0,8}(?:动脉|静脉|舌脉|苔脉))[^，。；]{0,12}脉(?!络)")
_SIDE = re.compile("(?:尤其|其中)?(?:左|右|双|两|重按|按压|寸|关|尺|每分钟)")
_TIMES = re.compile("(?:[每隔2][日天]|分|连续?服用?|共).{0,3}[一二三四两0-9].{0,2}[剂付次](?!煎)")


def read_best4sdt(path: Path) -> list[Case]:
    """TCM-BEST4SDT's records as first visits.

    Kept: the text as chief complaint, history, tongue and pulse as far as they can be told apart; 中医疾病诊断,
    证型, 治则治法, 药物组成及用量 as the answer; 随症加减 as `Case.modifications`; of a long 煎服方法 how many packets
    and how often a day. Left out: multiple-choice options, 病因, 病机, 病性, 病位, 方剂配伍规律, 注意事项, and what
    stands in brackets behind a disease (a syndrome or a Western name). There is no formula name and no patient id.

    Args:
        path: the JSON file, a list of records.

    Raises:
        CaseError: names file, record and field.

    Source:
        https://github.com/DYJG-research/TCM-BEST4SDT (Apache-2.0), arXiv 2512.02816.
    """
    cases: dict[str, Case] = {}
    for number, row in enumerate(json_list(path), 1):
        where = f"{path}: record {number}"
        if not isinstance(row, dict):
            raise CaseError(f"{where}: must be an object {{…}}, not a {type(row).__name__}")
        for field, kind in (("id", int), ("instruction", str), ("output", list), ("中医疾病诊断", str)):
            if not isinstance(row.get(field), kind):
                raise CaseError(f"{where}: {field}: missing or no {kind.__name__}; the file must be as it is published")
        name = f"best4sdt-{row['id']}"
        if name in cases:
            raise CaseError(f"{where}: id: {row['id']!r} occurs twice; ids are unique")
        cases[name] = _case(name, row, where)
    return list(cases.values())


def _case(name: str, row: dict, where: str) -> Case:
    said = dict(re.split("[:：]", str(line), maxsplit=1) for line in row["output"] if re.search("[:：]", str(line)))
    for field in _FIELDS:
        if not said.get(field, "").strip():
            raise CaseError(f"{where}: output.{field}: missing; the file must be as it is published")
    written = parse(f"处方：{said['药物组成及用量']}").answer
    if not written.prescription:
        raise CaseError(f"{where}: output.药物组成及用量: no herb could be read in {said['药物组成及用量'][:60]!r}")
    used = parse(f"用法：{_usage(said['煎服方法'])}").answer
    answer = {
        "disease": "，".join(dict.fromkeys(re.sub(r"[（(][^（）()]*[）)]", "", row["中医疾病诊断"]).split("、"))),
        "syndrome": _list(said["证型"]),
        "treatment_principle": _list(said["治则治法"]),
        "prescription": written.prescription,
        "packets": used.packets,
        "usage": used.usage,
    }
    text = row["instruction"].replace("\\n", "\n")
    kind = "clinical" if _DATED.search(text) else "classical" if SCHOOL.search(said["药物组成及用量"]) else "vignette"
    case = public_case(name, f"best4sdt/{kind}", _patient(text), _visit(text), answer, where)
    return case.model_copy(update={"modifications": said["随症加减"].strip()})


def _list(text: str) -> str:
    """Names that 、 parts, parted as the study parts them."""
    return text.strip().strip("。；;").replace("、", "，")


def _usage(text: str) -> str:
    """How to take it; of more than 40 characters only what says how many packets and how often."""
    text = text.strip().rstrip("。")
    if len(text) <= 40:
        return text
    parts = [part.split("：")[-1].strip() for part in re.split("[；;，,。]", text)]
    kept: list[str] = []
    for part in parts:
        if _TIMES.search(part) and part not in kept and len("，".join([*kept, part])) <= 40:
            kept.append(part)
    return "，".join(kept)


def _patient(text: str) -> dict:
    """Sex, age and pregnancy where the text says them; 近五十 counts as 50, 五旬 as 50."""
    sex = _SEX.search(text[:60])
    patient = {"sex": "" if sex is None else "男" if sex[0] == "男" else "女", "pregnant": bool(_PREGNANT.search(text))}
    if age := _AGE.search(text[:60]):
        years = float(age[1]) if age[1] else count(age[2])
        years = years * 10 if "旬" in age[0] else years
        patient["age"] = years + (0.5 if age[3] else 0) + (int(age[4]) / 12 if age[4] else 0)
    elif age := _SAID_AGE.search(text[:60]):
        patient["age"] = count(age[1])
    if patient["pregnant"]:
        patient["sex"] = "女"
    return patient


def _visit(text: str) -> dict[str, str]:
    """Chief complaint where it is named, tongue and pulse by the beginning of each clause, all else as history."""
    text = _TASK.sub("", text).strip()
    found = {"chief_complaint": "", "history": "", "tongue": "", "pulse": ""}
    if complaint := _COMPLAINT.search(text):
        found["chief_complaint"] = (complaint[1] or complaint[2]).strip("，,；; ")
        text = text[: complaint.start()] + text[complaint.end() :]
    last = "history"
    for clause, stop in re.findall(r"([^，,；;。\n]+)([，,；;。\n]*)", text):
        piece = clause.strip()
        if not piece:
            continue
        if _TONGUE.match(piece) or (last == "tongue" and re.match("边|中|有齿痕|有瘀|少苔|尖", piece)):
            last = "tongue"
        elif _PULSE.match(piece) or (last == "pulse" and _SIDE.match(piece)):
            last = "pulse"
        else:
            last = "history"
        found[last] += piece + ("。" if set(stop) & {"。", "\n"} else "，")
    return {field: value.strip("，。 ") for field, value in found.items()}
