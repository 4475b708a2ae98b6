"""Read JSON objects in an answer as the fields and herbs they hold, under Chinese or English keys.

Herbs may be a list of objects, a list of texts, an object name → dose or one text; fields may stand one or more objects
deep. An object that was cut off (generation ended) is read as far as it goes.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping

from pydantic_core import from_json

from tcm.answers.labels import PACKETS, field_of, label_of
from tcm.answers.remarks import Herbs, is_herb
from tcm.answers.tables import column_of

TRIES = 8
"""Places at which an object is looked for; more would let the time grow with the square of the text."""

DEPTH = 4
"""Objects within objects that are read; our choice, an answer needs two or three."""

_OPENS = re.compile(r"\{(?=\s*[\"'}])|\[(?=\s*\{\s*[\"'])")
_UNIT_KEYS = frozenset({"单位", "unit", "units"})
_AMOUNT = re.compile(r"\s*(?:[0-9０-９]|[一二三四五六七八九十半]{1,3}[^\W一二三四五六七八九十])")
_FORMULA_NAMES = frozenset({"名称", "name", "方名"})


def objects_as_text(text: str) -> tuple[str, list[str], list[str]]:
    """Put lines of fields and herbs in the place of the objects of a text.

    Returns:
        The text, remarks on herbs, and values of keys that are no field.
    """
    kept, remarks, unread, start = [], [], [], 0
    for _ in range(TRIES):
        found = _OPENS.search(text, start)
        if not found:
            break
        value, end = _decode(text, found.start())
        if end is None:
            kept.append(text[start : found.end()])
            start = found.end()
            continue
        object_ = _Object()
        object_.value("", value, 0)
        kept += [text[start : found.start()], "\n", "\n".join(object_.lines), "\n"]
        remarks += object_.remarks
        unread += object_.unread
        start = end
    return "".join([*kept, text[start:]]), remarks, unread


def _decode(text: str, start: int) -> tuple[object, int | None]:
    """The object that begins at `start` and where it ends; None as the end where nothing can be read."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)  # strict would refuse line breaks in texts
    except (ValueError, RecursionError):
        pass
    end = max(text.rfind("}"), text.rfind("]")) + 1
    try:
        if "'" in text[start : start + 40] or ",}" in re.sub(r"\s", "", text[start:end]):
            return json.loads(json.dumps(ast.literal_eval(text[start:end]))), end
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        pass
    try:
        value = from_json(text[start:].encode(), allow_partial="trailing-strings")
    except ValueError:
        return None, None
    return {"": value, "cut off": f"… {text[-20:]}"}, len(text)


def _words(value: object) -> Iterator[str]:
    """The texts and numbers in a value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            for word in _words(inner):
                yield f"{key}：{word}"
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner)
    elif value is not None and not isinstance(value, bool):
        yield f"{value:g}" if isinstance(value, float) else str(value).strip()


class _Object:
    """What an object says, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.remarks: list[str] = []
        self.unread: list[str] = []

    def value(self, key: str, value: object, depth: int) -> None:
        """A value under a key; herbs are known by their shape, fields by their key."""
        label = label_of(key) if key else None
        drugs = field_of(label or "解释") == "prescription"
        if isinstance(value, Mapping) and depth < DEPTH:
            herbs = {k: v for k, v in value.items() if _is_amount(v) and (is_herb(k) or (drugs and not _is_key(k)))}
            self.herbs(key, [{"herb": k, **(v if isinstance(v, Mapping) else {"dose": v})} for k, v in herbs.items()])
            for inner, content in value.items():
                if inner not in herbs:
                    named = inner.lower() in _FORMULA_NAMES and (drugs or label in ("方剂", "方药", "主方"))
                    self.value("方剂" if named else inner, content, depth + 1)
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value) and depth < DEPTH:
            if all(_is_herb_entry(entry) for entry in value):
                self.herbs(key, value)
            else:
                for entry in value:
                    self.value(key, entry, depth + 1)
        elif label and field_of(label):
            words = list(_words(value))
            text = "\n".join(f"- {word}" for word in words) if drugs and len(words) > 1 else "，".join(words)
            text += "剂" if label in PACKETS and text.isdigit() else ""
            self.lines.append(f"{label}：\n{text}" if "\n" in text else f"{label}：{text}")
        else:
            self.unread += [f"{key}：{word}" if key else word for word in _words(value)]

    def herbs(self, key: str, entries: list[Mapping]) -> None:
        """Herbs, as a prescription is written; without a key they belong to the label before the object."""
        if entries:
            self.lines.append(("处方：\n" if key else "") + "\n".join(_herb(entry, self.remarks) for entry in entries))


def _is_key(key: str) -> bool:
    """Whether a key names a field or a column, and so is no herb."""
    return label_of(key) is not None or column_of(key) is not None


def _is_herb_entry(entry: Mapping[str, object]) -> bool:
    """Whether an object is one herb of a list, not an answer."""
    fields = {field_of(label) for label in map(label_of, entry) if label}
    return any(column_of(key) == "herb" for key in entry) and not fields & {
        "disease",
        "syndrome",
        "treatment_principle",
    }


def _is_amount(value: object) -> bool:
    """Whether the value beside a herb's name is its dose (10, "10g", "10g（先煎）", {"dose": …})."""
    if isinstance(value, Mapping):
        return any(column_of(key) == "dose" for key in value)
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and bool(_AMOUNT.match(value)))


def _herb(entry: Mapping[str, object], remarks: list[str]) -> str:
    """One herb with the values of its keys."""
    roles = {key: column_of(key) for key in entry}
    names = [text for key, role in roles.items() if role == "herb" for text in _words(entry[key])]
    name = next((n for n in names if is_herb(n)), next((n for n in names if not n.isascii()), ""))
    if not name:
        return "，".join(_words(entry))
    herbs = Herbs()
    herbs.name(name)
    for key, value in entry.items():
        text = "，".join(_words(value))
        if roles[key] == "dose":
            herbs.dose_and_more(
                text, "".join(word for k in entry if k.lower() in _UNIT_KEYS for word in _words(entry[k]))
            )
        elif roles[key] == "herb":
            remarks += [text] if text not in ("", name) else []
        elif key.lower() not in _UNIT_KEYS:
            herbs.said(text)
    remarks += herbs.remarks
    return herbs.text()
