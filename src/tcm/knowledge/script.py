"""Simplified script: traditional characters made simplified by OpenCC's tables, loaded only where needed."""

import re
from functools import cache

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")


@cache
def _converter():
    """OpenCC's traditional-to-simplified converter (0.1 s to load)."""
    from opencc_purepy import OpenCC

    return OpenCC("t2s")


def simplified(text: str) -> str:
    """A text in simplified script, character for character, so that positions stay the same.

    A text whose Han characters all stand in GB 2312, which holds simplified ones alone, is returned as it is.
    """
    if _in_gb2312(text) or _in_gb2312("".join(_HAN.findall(text))):
        return text
    plain = _converter().convert(text)
    if len(plain) == len(text):
        return plain
    return "".join(one if len(one := _converter().convert(c)) == 1 else c for c in text)


def _in_gb2312(text: str) -> bool:
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
