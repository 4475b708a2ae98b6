"""Commands that need no model and no study: each module has `add_arguments(parser)` and `main(arguments)`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from typing import Any

from tcm.unseen import visible

COMMANDS = {
    "read": ("read", "how prescriptions are understood, and what was not read"),
    "import": ("import_records", "look at own records and write the params file for a study on them"),
    "score": ("score", "score answers of any model against the physicians' answers"),
    "audit": ("audit", "check prescriptions: incompatible herbs, doses, pregnancy, toxic herbs"),
}
"""Name -> module and what it does; only the module of the command that is called is loaded."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of `COMMANDS`; exit code 2 and one line where the input cannot be used."""
    from tcm.cases import CaseError

    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="./study", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, about) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about)
        if given[:1] == [name]:
            loaded = import_module(f"{__name__}.{module}")
            loaded.add_arguments(command)
            command.set_defaults(function=loaded.main)
    called = parser.parse_args(given)
    return guarded(lambda: called.function(called), CaseError)


class Visible:
    """A stream that writes what a terminal would obey, or hide, as its code: records come from anywhere."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text with such characters as codes."""
        return self._stream.write(visible(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guarded(call: Callable[[], int], *errors: type[Exception]) -> int:
    """The exit code of a call: 2 after one line for an error of the input or of the disk, 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # Han text on a terminal that has no letters for it
    try:
        with redirect_stdout(Visible(sys.stdout)), redirect_stderr(Visible(sys.stderr)):
            try:
                return call()
            except errors as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
            except BrokenPipeError:
                raise
            except OSError as error:  # a full disk, a folder that must not be written
                print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
                return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
