"""Records of any origin -> cases: one module a source. Every reader names file, line and field that it cannot use.

Nothing is guessed silently: what a source does not have stays empty.
"""

from collections.abc import Callable

from tcm.sources.best4sdt import read_best4sdt
from tcm.sources.mtcmb import read_mtcmb
from tcm.sources.own import read_own
from tcm.sources.records import Records
from tcm.sources.tcmeval_sdt import read_tcmeval_sdt

SOURCES: dict[str, Callable[..., Records]] = {
    "best4sdt": lambda path, *_: Records(read_best4sdt(path)),
    "mtcmb": lambda path, *_: Records(read_mtcmb(path)),
    "tcmeval_sdt": lambda path, *_: Records(read_tcmeval_sdt(path)),
    "own": read_own,
}
"""`data_source` -> its reader: (file or folder; for own records also columns, fill, leave_out) -> records."""
