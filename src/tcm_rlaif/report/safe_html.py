"""The allow-list of HTML that a report may hold, used twice: to clean what goes in, and to audit what came out.

Models write the text that reports show, so text is hostile until shown otherwise. What is not on the list is dropped
by `clean`, and refused by `problems`, which parses the finished page and knows nothing of how it was made.
"""

import re
from collections.abc import Mapping
from html.parser import HTMLParser

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
CONTENT_TAGS = frozenset(
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img li ol"
    " p pre s small span strong sub summary sup table tbody td tfoot th thead tr u ul wbr".split()
)
PAGE_TAGS = CONTENT_TAGS | frozenset("html head meta title style body header main footer nav section".split())
CLASSES = frozenset("wide num short prose note said label code output failed facts folded glossary".split())
LINK = re.compile(r"(#|https://|mailto:)\S*|(\.\./index|([\w-]+/)?(report|cases|probes|explore))\.html")
IMAGE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]+")
ALLOWED_VALUES = {  # attribute: what its value must match, on any tag unless ONLY_ON says otherwise
    "class": re.compile(rf"({'|'.join(sorted(CLASSES))})( ({'|'.join(sorted(CLASSES))}))*"),
    "lang": re.compile(r"[A-Za-z-]{2,12}"),
    "href": LINK,
    "src": IMAGE,
    "alt": re.compile(r".*", re.DOTALL),
    "colspan": re.compile(r"\d{1,3}"),
    "rowspan": re.compile(r"\d{1,3}"),
    "scope": re.compile(r"row|col"),
    "style": re.compile(r"text-align: ?(left|right|center);?"),
    "role": re.compile(r"region|alert"),
    "tabindex": re.compile(r"0"),
    "aria-label": re.compile(r".*", re.DOTALL),
    "title": re.compile(r".*", re.DOTALL),
    "width": re.compile(r"\d{1,4}"),
    "start": re.compile(r"\d{1,4}"),
    "open": re.compile(r""),
}
ONLY_ON = {
    "href": {"a"}, "src": {"img"}, "alt": {"img"}, "style": {"th", "td"}, "start": {"ol"}, "open": {"details"},
    "title": {"abbr"}, "width": {"img"}, "colspan": {"th", "td"}, "rowspan": {"th", "td"}, "scope": {"th"},
}  # fmt: skip


def clean(html: str) -> str:
    """HTML reduced to tags and attributes that can only show something."""
    from bleach.css_sanitizer import CSSSanitizer
    from bleach.html5lib_shim import Filter
    from bleach.sanitizer import Cleaner

    class WithoutEmptyImages(Filter):
        """Drops images whose address was refused: they would only show a broken frame."""

        def __iter__(self):
            return (t for t in super().__iter__() if t.get("name") != "img" or (None, "src") in t["data"])

    cleaner = Cleaner(
        tags=CONTENT_TAGS,
        attributes=admitted,
        protocols={"https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(allowed_css_properties=["text-align"]),
        strip=True,
        filters=[WithoutEmptyImages],
    )
    # bleach drops the tags of these alone; what stands between them is no text for readers
    return cleaner.clean(re.sub(r"(?is)<(script|style|template|noscript)\b.*?</\1\s*>", "", html))


def admitted(tag: str, name: str, value: str | None) -> bool:
    """Whether content may carry an attribute with this value."""
    pattern, tags = ALLOWED_VALUES.get(name), ONLY_ON.get(name)
    return bool(pattern and (tags is None or tag in tags) and pattern.fullmatch(value or ""))


def problems(page: str) -> list[str]:
    """What is wrong with a page: anything that runs, loads, refers elsewhere, or that some cannot read.

    It parses: a pattern would find fault with escaped text.
    """
    auditor = _Auditor()
    auditor.feed(page)
    auditor.close()
    return auditor.found + auditor.missing()


class _Auditor(HTMLParser):
    """Collects what a page must not have. Comments and odd declarations count: parsers disagree where they end."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.count: dict[str, int] = {}
        self.ids: set[str] = set()
        self.policies: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.count[tag] = self.count.get(tag, 0) + 1
        given = dict(attributes)
        if tag not in PAGE_TAGS:
            self._report(f"<{tag}> is not allowed")
        if len(given) < len(attributes):
            self._report(f"<{tag}> has an attribute twice")
        if tag == "meta":
            self._meta(given)
            return
        for name, value in given.items():
            if not (admitted(tag, name, value) or self._of_the_frame(tag, name, value)):
                self._report(f"<{tag} {name}={str(value)[:60]!r}> is not allowed")
        if tag == "img":
            self._image(given)

    def _meta(self, given: Mapping[str, str | None]) -> None:
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(given.get("content") or "")
        elif given not in (
            {"charset": "utf-8"},
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
        ):
            self._report(f"<meta {given}> is not allowed")

    def _of_the_frame(self, tag: str, name: str, value: str | None) -> bool:
        """Attributes that the template writes and content may not."""
        if name != "id" or tag != "section" or not re.fullmatch(r"s\d+|terms", value or "") or value in self.ids:
            return False
        self.ids.add(value or "")
        return True

    def _image(self, given: Mapping[str, str | None]) -> None:
        if not given.get("src"):
            self._report("an image without data; embed it")
        described = (given.get("alt") or "").strip()
        if not described or described.startswith("No description has been provided"):
            self._report("an image without a description; show figures with show_figure(figure, alt)")

    def handle_data(self, data: str) -> None:
        if self.inside == "style" and re.search(r"<|url\(|@import|expression|\\", data, re.IGNORECASE):
            self._report("the style sheet loads something or ends early")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_comment(self, data: str) -> None:
        self._report("a comment")

    def handle_decl(self, declaration: str) -> None:
        if declaration.lower() != "doctype html":
            self._report(f"<!{declaration[:40]}> is not allowed")

    def unknown_decl(self, data: str) -> None:
        self._report(f"<![{data[:40]}]> is not allowed")

    def handle_pi(self, data: str) -> None:
        self._report(f"<?{data[:40]}> is not allowed")

    def missing(self) -> list[str]:
        """What a page has to have once."""
        lacks = [f"{self.count.get(t, 0)} <{t}>; one is needed" for t in ("title", "main") if self.count.get(t, 0) != 1]
        return lacks + ([] if self.policies == [POLICY] else ["the content security policy is missing or another"])

    def _report(self, what: str) -> None:
        self.found.append(f"line {self.getpos()[0]}: {what}")
