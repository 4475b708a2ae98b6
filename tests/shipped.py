"""The params files that the project ships: `params/` may hold own ones beside them, which no test is about."""

from tcm_rlaif.study.params import ROOT

PARAMS = sorted(
    path
    for path in (ROOT / "params").glob("*.yaml")
    if not path.read_text("utf-8").startswith("# Written by `./study import`")
)
