"""A notebook that somebody watches: which params file it goes by, bars that move, errors that say what to do.

`./study lab PARAMS` chooses one params file for all notebooks. It does so by an environment variable, which kernels
inherit; a notebook whose own `params_file` is set (by hand, or by papermill) goes by that.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

CHOSEN = "TCM_PARAMS"
"""Environment variable with the params file of notebooks that name none."""
DEFAULT = "params/default.yaml"
SESSIONS = ("JPY_SESSION_NAME", "VSCODE_PID")
"""Set in kernels that JupyterLab or VS Code start; papermill and nbconvert set neither."""


def params_file(given: str) -> str:
    """The params file to go by: the notebook's own, else that of `./study lab PARAMS`, else the default."""
    return given or os.environ.get(CHOSEN) or DEFAULT


def watched() -> bool:
    """Whether this is a kernel of JupyterLab or VS Code: somebody may be there to see a bar move and to press a button.

    Elsewhere (papermill, nbconvert, a script) there is nobody, and what is shown has to stand without widgets.
    """
    return any(name in os.environ for name in SESSIONS)


def bar(items: Iterable[Any] | None = None, **options: Any):
    """tqdm's progress bar: a widget where somebody watches, lines of text elsewhere.

    In a notebook these lines are output like any other: what a cell writes to stderr stands in a red box for ever.

    Args:
        items: as `tqdm.tqdm` takes them, with all its options.
    """
    if watched():
        from tqdm.auto import tqdm
    else:
        from tqdm import tqdm
    return tqdm(items, file=sys.stdout if _shell() else sys.stderr, **options)


def _shell() -> Any:
    """The IPython that this runs in; None outside of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def errors_in_short(*told: type[Exception]) -> None:
    """Show errors in a notebook without what helps nobody who reads it; does nothing outside of one.

    Args:
        told: errors whose message says all (a wrong key, a missing input): they are shown as that one line. All others
            keep the lines of the notebook and of this project, and lose those of installed packages.
    """
    if (shell := _shell()) is None:
        return

    def show(shell, kind, error, trace, tb_offset=None):
        lines = [f"{kind.__name__}: {error}"]
        if not isinstance(error, told):
            error.__cause__, error.__context__, error.__suppress_context__ = None, None, True
            lines = shell.InteractiveTB.structured_traceback(kind, error, without_packages(trace), tb_offset=1)
        shell._showtraceback(kind, error, lines)
        return lines

    shell.set_custom_exc((Exception,), show)


def without_packages(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of installed packages; as it was where nothing else would be left."""
    frames = []
    step = trace
    while step:
        if "site-packages" not in Path(step.tb_frame.f_code.co_filename).parts or step is trace:
            frames.append(step)
        step = step.tb_next
    kept = None
    for frame in reversed(frames):
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return kept
