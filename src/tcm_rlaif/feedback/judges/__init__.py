"""Judges: who scores candidate answers. One module a judge, one line in `JUDGES`."""

from importlib import import_module
from typing import TYPE_CHECKING

from tcm_rlaif.feedback.judges.base import Judge

if TYPE_CHECKING:
    from tcm_rlaif.study.schema import Params

JUDGES = {"rubric": "rubric", "openai": "openai_judge", "transformers": "local"}
"""`judge` -> its module, which has `from_params(P)`; imported when it is asked for."""


def make_judges(P: "Params") -> list[Judge]:
    """The judges that the parameters name, in that order; more than one is a jury.

    Args:
        P: keys ``judge`` and ``judge_*``. The API key is no parameter: `judge_key_variable` says where it is.
    """
    return [import_module(f"{__name__}.{JUDGES[name]}").from_params(P) for name in P.judge]
