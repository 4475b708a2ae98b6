"""Field labels of an answer, in Chinese and English, and a text cut at them."""

import re
from functools import lru_cache

from tcm.prescriptions.tokens import HAN

LABELS = {
    "disease": "中医诊断 诊断 辨病 病名 疾病 疾病诊断 中医病名 中医疾病 中医疾病诊断",
    "syndrome": "证型 辨证 证候 证名 中医证型 中医辨证 辨证分型 证候诊断 中医证候 证型诊断 辨证结果",
    "treatment_principle": "治法 治则 治则治法 治法治则 治疗原则 治疗法则 立法",
    "formula": "方剂 方药 选方 处方名 方名 主方 代表方 方剂名称 推荐方剂 选方用药",
    "prescription": "处方 药物 药物组成 用药 组成 中药处方 处方用药 方药组成 方剂组成 药味 具体用药 处方组成",
    "usage": "用法 服法 用法用量 煎服法 服用方法 煎服方法 煎煮法 剂数 付数 帖数 贴数",
    "": "西医诊断 鉴别诊断 病机 病因病机 病机分析 辨证分析 证候分析 辨证要点 分析 方解 方义 医嘱 按语 注意事项 禁忌 "
    "调护 加减 随症加减 随证加减 解释 理由 说明 备注 参考 患者 主诉 现病史 既往史 舌 脉 舌象 脉象 舌脉",
}
"""Labels that open a field; the first is the one we write. Labels under "" open text that belongs to no field."""

ENGLISH = {
    "中医诊断": "tcm diagnosis|diagnosis|disease|tcm disease|disease name|chinese medicine diagnosis|tcm disease name",
    "证型": "syndrome|pattern|tcm syndrome|tcm pattern|syndrome type|syndrome differentiation|pattern differentiation"
    "|tcm syndrome differentiation|tcm pattern differentiation|syndrome diagnosis|pattern diagnosis|syndrome pattern"
    "|tcm pattern diagnosis",
    "治法": "treatment principle|treatment principles|treatment method|therapeutic principle|therapeutic principles"
    "|principle of treatment|principle|therapeutic method|treatment strategy|treatment",
    "方剂": "formula|base formula|formula name|herbal formula|chosen formula|selected formula|recommended formula"
    "|representative formula|classical formula|prescription name|formula selection",
    "处方": "prescription|herbal prescription|tcm prescription|herbs|ingredients|composition|medicinals|herb list"
    "|formula composition|prescription composition|chinese herbs|medicines|herbs and dosages|herbs and doses|herb",
    "用法": "usage|administration|directions|dosage and administration|instructions|preparation and administration"
    "|how to take|decoction method|preparation|preparation method",
    "剂数": "packets|number of packets|number of doses|packs|bags",
    "西医诊断": "western diagnosis|western medicine diagnosis|biomedical diagnosis",
    "鉴别诊断": "differential diagnosis",
    "说明": "analysis|explanation|rationale|reasoning|notes|note|modifications|precautions|pathogenesis|mechanism"
    "|contraindications|disclaimer|advice|lifestyle advice|summary|syndrome analysis|pattern analysis|formula analysis"
    "|formula explanation|prescription analysis|herb analysis|chief complaint|tongue|pulse|patient|caution|cautions",
}
"""Our labels → their English names, small letters, ``|`` between them."""

PACKETS = ("剂数", "付数", "帖数", "贴数")
"""Labels of `usage` under which a number alone is that of the packets."""

_FIELD_OF = {label: name for name, labels in LABELS.items() for label in labels.split()}
_FROM_ENGLISH = {name: label for label, names in ENGLISH.items() for name in names.split("|")}
_OWN = {labels.split()[0] for name, labels in LABELS.items() if name}
_ANY_LABEL = "|".join(sorted(_FIELD_OF, key=len, reverse=True))
_FIRST = "".join(sorted({label[0] for label in _FIELD_OF}))
_LABEL = re.compile(
    rf"(?m:^[#*\d.、 \t]{{0,8}}(?P<alone>{_ANY_LABEL})[* \t]{{0,4}}$)"
    rf"|(?=[{_FIRST}])(?P<plain>{_ANY_LABEL})[】\]*\"'”’\s]{{0,6}}[:：]"
    rf"|【\s{{0,3}}(?P<boxed>{_ANY_LABEL})\s{{0,3}}】[\s*]{{0,3}}[:：]?"
    r"|(?m:^#{1,6}[ \t][^\n]*$)"
)
_WORD_BEFORE = re.compile(rf"[{HAN}A-Za-z0-9]")
_ENGLISH_LABEL = re.compile(
    rf"(?<![A-Za-z])(?<![A-Za-z] )({'|'.join(sorted(_FROM_ENGLISH, key=len, reverse=True))})"
    r"(?:[ \t]{0,2}[(（][^()（）\n]{1,30}[)）])?[ \t\"'*]{0,4}[:：]",
    re.I,
)
_NUMBERED = re.compile(
    r"^(?:(?:第?[一二三四五六七八九十]{1,3}|[0-9]{1,2})\s?[、.．)）:：]|[(（][一二三四五六七八九十0-9]{1,3}[)）]|[①-⑳])"
)
_BEFORE = re.compile("^(?:推荐|建议|具体|参考|拟定|中药|中医|本案|患者|主要|拟用|所用)")
_AFTER = re.compile("(?:建议|推荐|如下|方案|参考|结果|选择|明细|示例|详情|[及与和](?:剂量|用量))$")


@lru_cache(maxsize=8192)  # most lines of an answer are asked for here, and many occur in every answer
def label_of(text: str) -> str | None:
    """The label that a heading, a table cell or a key of an object is; None where it is none.

    Numbers (``四、``), markup, pictures, brackets (``处方 (Prescription)``) and words such as 推荐 … 如下 around it do
    not count. An English name gives our label, a Chinese one itself.
    """
    if len(text) > 60:
        return None
    text = re.sub(r"[(（【\[][^()（）【】\[\]]{0,30}[)）】\]]", lambda m: m.group() if m.start() == 0 else "", text)
    text = _NUMBERED.sub("", text.strip(" \t*_`\"'“”")).strip()
    text = re.sub(r"^[\W_]+|[\W_]+$", "", text)
    if text.isascii():
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s_-]+", " ", text).lower()
        return _FROM_ENGLISH.get(words)
    while text not in _FIELD_OF:
        shorter = _AFTER.sub("", text) if _AFTER.search(text) else _BEFORE.sub("", text)
        if shorter == text or not shorter:
            return None
        text = shorter
    return text


def field_of(label: str) -> str:
    """The field of `Answer` that a label opens; "" for labels of text that belongs to no field."""
    return _FIELD_OF[label]


def english_labels(text: str) -> str:
    """A text with its English field names replaced by ours; names count only before a colon."""
    return _ENGLISH_LABEL.sub(lambda m: f"{_FROM_ENGLISH[m[1].lower()]}：", text)


def sections(text: str) -> list[tuple[str, str, str]]:
    """Cut a text at its field labels into (field, label, content); what stands before the first label has field "".

    Our own labels open a field anywhere; others only where no word runs into them (in 西医诊断 the label is not 诊断).
    A heading that names no field opens text of no field; its label is "#" and the heading stays in the content.
    """
    found, field, label, start = [], "", "", 0
    for match in _LABEL.finditer(text):
        name = match["alone"] or match["boxed"] or match["plain"]
        if match["plain"] and name not in _OWN and _WORD_BEFORE.match(text[max(match.start() - 1, 0) : match.start()]):
            continue
        found.append((field, label, text[start : match.start()]))
        field, label, start = (_FIELD_OF[name], name, match.end()) if name else ("", "#", match.start())
    return [*found, (field, label, text[start:])]
