"""What a notebook may be told: the names and values that its parameters cell admits, checked before it runs."""

import ast
import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tcm.files import read_json

SECRET = re.compile(r"(^|_)(token|secret|password|passwd|api_?key|credentials?)$", re.IGNORECASE)
Validate = Callable[[dict[str, Any]], object]


def check_parameters(source: Path, parameters: Mapping[str, Any], validate: Validate | None = None) -> None:
    """Refuse what must not reach a notebook: papermill writes names into a code cell and values into the output.

    Raises:
        ValueError: naming the parameter and the fix.
    """
    declared = declared_parameters(source)
    for name in parameters:
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no name for a parameter: letters, digits and _ only")
        if SECRET.search(name):
            raise ValueError(f"{name}: the executed notebook would hold it; give secrets as environment variables")
        if validate is None and name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(declared)}"
            raise ValueError(f"{source.name} has no parameter {name!r}; {hint}")
    if validate:
        validate({**declared, **parameters})


def declared_parameters(source: Path) -> dict[str, Any]:
    """Names and default values in a notebook's parameters cell.

    Read with `ast`: papermill's own reader goes by regular expressions and misses annotated names.

    Raises:
        ValueError: if the file is no notebook, or has no parameters cell of literals.
    """
    try:
        cells = read_json(source)["cells"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{source} is not a readable notebook: {error}") from error
    tagged = ["".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{source.name} has {len(tagged)} cells tagged `parameters`; it needs one")
    values = {}
    for node in ast.parse(tagged[0]).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        try:
            values.update({target.id: ast.literal_eval(node.value) for target in targets})
        except (AttributeError, ValueError, TypeError) as error:
            line = ast.unparse(node)
            raise ValueError(f"{source.name}: parameters cell: `{line}` must be NAME = LITERAL") from error
    return values
