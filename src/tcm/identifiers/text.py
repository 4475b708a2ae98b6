"""One text with its identifiers replaced by typed marks, and what looks suspicious but was left."""

import re
from collections.abc import Iterable
from functools import lru_cache

from tcm.identifiers.dates import dates
from tcm.identifiers.names import DOT, OF_PEOPLE, SINGLE, is_word, mentions, names
from tcm.identifiers.numbers import numbers
from tcm.identifiers.places import places
from tcm.identifiers.spans import HAN, MARKS, Span, merged

_HALF_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94) if chr(0xFF01 + i) not in "，：；（）！？"} | {0x3000: 0x20}
"""Full-width letters, digits and signs to half-width ones, a character for a character."""


def half_width(text: str) -> str:
    """A text of the same length in half-width letters and digits."""
    return text.translate(_HALF_WIDTH)


@lru_cache(maxsize=20_000)
def identifiers(text: str) -> tuple[Span, ...]:
    """All identifiers of a text, in order, none inside another."""
    if len(text) < 2:
        return ()
    plain = half_width(text)
    spans = [*numbers(plain), *dates(plain), *places(plain), *names(plain)]
    return tuple(merged(spans)) if spans else ()


def known_names(texts: Iterable[str]) -> set[str]:
    """Whole names that texts of one record hold; one that stands in one place by its context counts in all.

    Of a name with a dot its parts count too: 扎西·多吉 is 扎西 afterwards.
    """
    found = {text[s.first : s.end] for text in texts for s in identifiers(text) if s.kind == "name"}
    found |= {part for name in found for part in re.split(DOT, name)}
    return {name for name in found if re.fullmatch(f"(?:(?!某){HAN}){{2,6}}(?:{DOT}{HAN}{{2,6}})*", name)}


def spans_of(text: str, known: set[str]) -> list[Span]:
    """The identifiers of a text, names that are known from elsewhere in the record among them."""
    again = list(mentions(text, known)) if known else []
    return merged([*identifiers(text), *again]) if again else list(identifiers(text))


def masked(text: str, spans: Iterable[Span]) -> tuple[str, list[Span]]:
    """A text with marks in the place of spans, and where the marks stand."""
    parts, places, at, length = [], [], 0, 0
    for span in spans:
        mark = MARKS[span.kind] if span.kind == "age over 89" else f"〔{MARKS[span.kind]}〕"
        parts += [text[at : span.first], mark]
        length += span.first - at
        places.append(Span(length, length + len(mark), span.kind))
        length += len(mark)
        at = span.end
    return ("".join([*parts, text[at:]]) if parts else text), places


def mask_text(text: str) -> str:
    """Replace what can name a person by typed marks such as 〔姓名〕.

    Source:
        Rules of our own, measured by `tests/benchmarks/measure_identifiers.py`. A net, not a proof: look at them.
    """
    return masked(text, identifiers(text))[0]


_SUSPICIOUS = re.compile(
    r"(?<![\d.])\d{6,}(?![\d.])|(?<![\d./])(?:1[0-2]|[1-9])[/.](?:3[01]|[12]\d|[1-9])"
    r"(?=[\s，,。；）)]*(?:[查复初就入出手]|[二三四五六七八九十]诊))"
    rf"|(?:^|(?<=[。；;\n，,：:]))(?P<name>[{SINGLE}]{HAN}{{1,2}})(?=[，,：:（(])"
    rf"|(?:^|(?<=[。；;\n，,：:]))(?P<person>{HAN}{{2,5}}(?<![者人民工儿员诊生师性婚休]))(?={OF_PEOPLE})"
    rf"|患儿(?!(?P<half>.)(?P=half))(?P<child>{HAN}{{2}})(?=[，,\s]{{1,2}}[男女][，,\s])"
    r"|(?<!〔)(?:有限公司|身份证|微信|邮箱|住址|电话|手机号)(?!.{0,3}〔|〕)"
)


def suspicious(text: str) -> list[Span]:
    """Places of a masked text that look as if they named somebody, but that no rule is sure of."""
    plain = half_width(text)
    found = (match for match in _SUSPICIOUS.finditer(plain))
    return [Span(*m.span(), "left") for m in found if not m.lastgroup or not is_word(plain, m.start(m.lastgroup))]


def in_context(text: str, span: Span) -> str:
    """A span with what stands around it, on one line."""
    return " ".join(text[max(0, span.first - 12) : span.end + 12].split())
