"""What `./study run` shows while it works: one view kept up to date, or a line for each run that ended."""

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from tcm_rlaif.runner import progress
from tcm_rlaif.runner.progress import State
from tcm_rlaif.study.plan import plan
from tcm_rlaif.study.schema import Params

ENDED = (progress.FINISHED, progress.FAILED, progress.KILLED, progress.STOPPED)


@contextmanager
def view(P: Params, due: Collection[str], at_once: int) -> Iterator[Callable[[bool], object]]:
    """Show a study while it runs: on a terminal one view under the runs that ended, elsewhere these lines alone.

    Args:
        due: folders of the runs that are to be run.
        at_once: how many of them go side by side.

    Yields:
        A function that looks again, to be called about once a second, with whether the study was told to stop.
    """
    started, said = time.time(), {run.folder for run in plan(P)} - set(due)

    def look(tell: Callable[[str], None]) -> list[State]:
        """Tell each run that ended since the last look."""
        found = progress.states(P, due, started)
        for state in found:
            if state.state in ENDED and state.run.folder not in said:
                said.add(state.run.folder)
                tell(_ended(state, sum(s.state == progress.FINISHED for s in found), len(found)))
        return found

    if not sys.stdout.isatty():
        yield lambda stopping: look(lambda line: print(line, flush=True))
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=sys.__stdout__, highlight=False)  # `sys.stdout` writes what a terminal obeys as codes
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:

        def show(stopping: bool) -> None:
            rows = progress.lines(P, look(lambda line: console.print(Text(line))), at_once, time.time() - started)
            rows += ["  stopping: what runs is told to end"] if stopping else []
            live.update(Text("\n".join(rows), no_wrap=True, overflow="ellipsis"), refresh=True)

        yield show


def _ended(state: State, done: int, of: int) -> str:
    took = "" if state.seconds is None else f" after {progress.clock(state.seconds)}"
    why = f": {progress.brief(state.error)}" if state.error else ""
    return f"{time.strftime('%H:%M:%S')}  {state.name}  {state.state}{took}{why}  ({done} of {of})"
