"""Characters that no text needs and a terminal or page obeys or hides: controls, escapes, marks of direction."""

from typing import Any

_CODES = [*range(32), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
_AS_CODE = {code: f"\\u{code:04x}" for code in _CODES if chr(code) not in "\n\t"}
_AS_BLANK = dict.fromkeys(_AS_CODE.keys() - {0x2028, 0x2029}, " ")  # those two only separate lines


def visible(text: str) -> str:
    """A text as it may be shown: such characters as their codes (an escape is ``\\u001b``)."""
    return text if text.isprintable() else text.translate(_AS_CODE)


def without(text: str) -> str:
    """A text as it may be kept: a blank for each of them, one line break for a carriage return with it."""
    return text if text.isprintable() else text.replace("\r\n", "\n").replace("\r", "\n").translate(_AS_BLANK)


def visible_in(value: Any) -> Any:
    """Values as JSON has them, every text among them as it may be shown."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list | tuple):
        return [visible_in(part) for part in value]
    return {visible(key): visible_in(part) for key, part in value.items()} if isinstance(value, dict) else value
