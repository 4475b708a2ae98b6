"""Params files as YAML, kept to what such a file needs: words, numbers, lists and mappings, each key once.

Aliases (one line can stand for gigabytes), tags, several documents and deep nesting are refused with line and fix, and
so is whatever YAML cannot make a value of. Dates stay text.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 1_000_000
MOST_LEVELS = 20
"""Our choice: a params file has about four."""


class YamlError(ValueError):
    """A file that is no YAML of this kind; the message names the line and the fix."""


class _Plain(yaml.SafeLoader):
    """YAML without aliases, tags, dates and sexagesimal numbers; a key that occurs twice is an error."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlError(f"line {line}: an anchor or alias (& or *); write the value itself, or put it in quotes")
        if getattr(event, "tag", None):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:40]
            raise YamlError(f"line {line}: a tag ({tag}); write the value alone, or put it in quotes")
        if self.level >= MOST_LEVELS:
            raise YamlError(f"line {line}: more than {MOST_LEVELS} levels; a params file needs four")
        self.level += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.level -= 1

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except ValueError as error:  # a number of 5,000 digits
            raise YamlError(f"line {node.start_mark.line + 1}: no value ({str(error)[:60]}); correct it") from None
        if isinstance(value, int | float) and ":" in str(node.value):  # 1:30 is 90 in YAML 1.1
            raise YamlError(f"line {node.start_mark.line + 1}: {node.value[:40]}: no number; put it in quotes")
        return value

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            line = f"line {key_node.start_mark.line + 1}"
            name = self.construct_object(key_node, deep=True)
            if not isinstance(name, Hashable):
                raise YamlError(f"{line}: a {type(name).__name__} as a key; a key is a word")
            if name in seen:
                raise YamlError(f"{line}: {str(name)[:40]}: occurs twice; keep one")
            seen.add(name)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a file holds.

    Raises:
        YamlError: where there is none; the message says why, without the file's name.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise YamlError(f"is larger than {MOST_BYTES} bytes; it is no params file")
        values = yaml.load(path.read_text("utf-8"), Loader=_Plain)
    except UnicodeDecodeError:
        raise YamlError("is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise YamlError(f"cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise YamlError(f"no valid YAML: {' '.join(str(error).split())[:300]}") from None
    if values is None:
        raise YamlError("is empty; write at least `study: NAME` (what it leaves out is as in params/default.yaml)")
    if not isinstance(values, dict):
        raise YamlError(f"must hold `key: value` lines, not a {type(values).__name__}")
    return values
