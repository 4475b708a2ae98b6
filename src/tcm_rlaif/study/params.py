"""Params files: read from YAML, checked against `schema.Params`, resolved for one arm.

A params file names only what differs from the defaults. `./study params` prints every key with its meaning.
"""

import difflib
import importlib.util
import keyword
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from tcm.cases import explain
from tcm.metrics.floors import ATTACKS, FLOORS
from tcm_rlaif.study import axis
from tcm_rlaif.study.measures import MEASURES
from tcm_rlaif.study.schema import DEFAULT_QUESTIONS, Params
from tcm_rlaif.study.schema_sft import MAX_ARM_KEYS
from tcm_rlaif.study.yaml_file import YamlError, read_mapping

ROOT = Path(__file__).resolve().parents[3]
SNAPSHOT = "params.yaml"  # beside the runs of a study: what they are run with
OF_THE_STUDY = ("study", "seeds", "arm_seeds", "sizes", "arms", "gpus", "report_to", "accelerate")
# what decides the cases (base_patterns: the diseases that invented cases are about) and how answers are compared;
# how many answers are drawn and which of them is given is the arm's own way of answering
NOT_OF_AN_ARM = (
    *("data_", "base_patterns", "eval_cases", "eval_max_new_tokens", "eval_batch_size", "ablation_", "probe_"),
)


class ParamsError(ValueError):
    """A params file or value that cannot be used; the message names file, key and the fix."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the name that was probably meant, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def validated(values: Mapping[str, Any], where: str) -> Params:
    """Check values against the schema.

    Args:
        values: flat key -> value; missing keys take their defaults.
        where: file or place, for the message.

    Raises:
        ParamsError: on an unknown key, a wrong type, a value out of range, or an arm that cannot be compared.
    """
    P = axis.spread(_checked(values, where))
    for arm, difference in P.arms.items():
        _check_arm(P, arm, difference, f"{where}: arms.{arm}")
    if P.ablation_questions != DEFAULT_QUESTIONS:
        for question in P.ablation_questions:
            if len(compared := question.split(" - ")) != 2 or not set(compared) <= set(P.arms):
                arms = ", ".join(P.arms)
                raise ParamsError(f"{where}: ablation_questions.{question}: write `arm - arm` of these arms: {arms}")
    for key in P.ablation_primary:
        if key not in MEASURES or MEASURES[key].better != "higher":
            known = [k for k, m in MEASURES.items() if m.better == "higher"]
            raise ParamsError(
                f"{where}: ablation_primary.{key}: no metric of which more is better; {nearest(key, known)}"
            )
    for name in ("probe_arms", "arm_seeds"):
        for arm in getattr(P, name):
            if arm not in P.arms:
                raise ParamsError(f"{where}: {name}: {arm}: no arm of this study; {nearest(arm, P.arms)}")
    for arm, seeds in P.arm_seeds.items():
        if len({*seeds}) < len(seeds) or unchanging(P, arm):
            raise ParamsError(
                f"{where}: arm_seeds.{arm}: each seed once, and only where a seed changes what the arm answers"
            )
        if other := sorted({*seeds} - {*P.seeds}):
            raise ParamsError(
                f"{where}: arm_seeds.{arm}: {other[0]} is not among `seeds` {list(P.seeds)}; add it there"
            )
    for pair in questions(P):
        if (
            P.arm_seeds
            and not any(unchanging(P, arm) for arm in pair)
            and not set.intersection(*({*seeds_of(P, arm)} for arm in pair))
        ):
            raise ParamsError(f"{where}: ablation_questions.{' - '.join(pair)}: the two have no seed in common")
    asked = [" - ".join(pair) for pair in questions(P)]
    for question in P.ablation_family:
        if question not in asked:
            raise ParamsError(f"{where}: ablation_family.{question}: is not asked; {nearest(question, asked)}")
    return P


def family(P: Params) -> set[tuple[str, str]]:
    """The questions whose answers on the primary metrics are tested together (Holm): declared, or all."""
    return {tuple(question.split(" - ")) for question in P.ablation_family} or set(questions(P))


def questions(P: Params) -> dict[tuple[str, str], str]:
    """Which differences the study is about: (arm, arm it is compared with) -> what the difference shows."""
    declared = {tuple(question.split(" - ")): shows for question, shows in P.ablation_questions.items()}
    asked = {pair: shows for pair, shows in declared.items() if set(pair) <= set(P.arms)}
    first, *others = P.arms
    return asked or {(arm, first): f"what {arm} changes" for arm in others}


def check_installed(P: Params) -> None:
    """Refuse what a study asks for and this environment lacks, before anything is trained.

    Raises:
        ParamsError: naming the key and the fix.
    """
    if P.report_to != "none" and importlib.util.find_spec(P.report_to) is None:
        fix = f"install it ({sys.executable} -m pip install {P.report_to}), or set report_to: none"
        raise ParamsError(f"report_to: {P.report_to} is not installed; {fix}")


def _checked(values: Mapping[str, Any], where: str) -> Params:
    for name in values:
        if name not in Params.model_fields:
            raise ParamsError(f"{where}: {str(name)[:60]}: no such key; {nearest(str(name), Params.model_fields)}")
    try:
        return Params.model_validate(dict(values))
    except ValidationError as error:
        raise ParamsError(f"{where}: {explain(error, {'judge_key_variable', 'judge_base_url'}, whole='')}") from None


def _check_arm(P: Params, arm: str, difference: Mapping[str, Any], where: str) -> None:
    taken = {"shared", "gold", *FLOORS, *ATTACKS}
    if not arm.isidentifier() or keyword.iskeyword(arm) or arm in taken or len(arm) > 60:
        known = ", ".join(sorted(taken))
        raise ParamsError(f"{where}: an arm's name is letters, digits and _ (at most 60), and none of {known}")
    if (number := len(difference.keys() - {"training", *([axis.KEY] if P.sizes else ())})) > MAX_ARM_KEYS:
        raise ParamsError(
            f"{where}: {number} keys differ; an arm differs in at most {MAX_ARM_KEYS} beside which stages train"
        )
    for name in difference:
        if name in OF_THE_STUDY or name.startswith(NOT_OF_AN_ARM):
            raise ParamsError(f"{where}.{name}: arms are compared on the same cases in the same way; move it out of it")
    _checked({**P.model_dump(), **difference}, where)


def for_arm(P: Params, arm: str) -> Params:
    """The parameters of one arm: the study's with the arm's difference.

    Raises:
        ParamsError: if the study has no such arm.
    """
    if arm not in P.arms:
        raise ParamsError(f"arm: study {P.study!r} has no arm {arm!r}; {nearest(arm, P.arms)}")
    return _checked({**P.model_dump(), **P.arms[arm]}, f"arms.{arm}")


def unchanging(P: Params, arm: str) -> bool:
    """Whether no seed changes what an arm answers: it is not trained, and does not draw."""
    PA = for_arm(P, arm)
    return PA.training == "none" and PA.eval_temperature == 0


def seeds_of(P: Params, arm: str) -> tuple[int, ...]:
    """The seeds that an arm runs with: the study's, those of them that `arm_seeds` names, or as many of them as `sizes`
    says for its number of answers."""
    if arm in P.arm_seeds:
        return tuple(seed for seed in P.seeds if seed in P.arm_seeds[arm])
    return P.seeds[: P.sizes.get(for_arm(P, arm).sft_cases)]


def has_seed(P: Params, arm: str, seed: int) -> bool:
    """Whether an arm runs with a seed; one that no seed changes has all."""
    return seed in seeds_of(P, arm) or unchanging(P, arm)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping that a params file holds, unchecked; a relative path starts at the project folder.

    Raises:
        ParamsError: if the file is missing, empty, no YAML, no mapping, or has a key twice.
    """
    path = ROOT / path
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        there = False
    if not there:
        have = ", ".join(sorted(p.name for p in (ROOT / "params").glob("*.yaml")))
        raise ParamsError(f"{str(path)[:300]}: no such params file; params/ holds {have}")
    try:
        return read_mapping(path)
    except YamlError as error:
        raise ParamsError(f"{path}: {error}") from None


def load(path: str | Path, **overrides: Any) -> Params:
    """Read and check a params file; keyword arguments override it."""
    return validated({**read_yaml(path), **overrides}, where=str(path))


def differences(P: Params) -> dict[str, Any]:
    """Only the keys whose values are not the defaults, as they may be shown: addresses without their secrets."""
    return public(changes(P))


def public(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with their values as they may be shown, those of arms too."""
    return {
        name: shown(value) if name == "judge_base_url" else public(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
    }


def shown(base_url: str) -> str:
    """An address without user, password and query, where a key may stand."""
    try:
        parts = urlsplit(base_url)
    except ValueError:  # no address, and its parts cannot be told apart
        return "(no address)"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def changes(P: Params) -> dict[str, Any]:
    """Only the keys whose values are not the defaults: what a params file would hold, secrets included."""
    defaults = Params().model_dump(mode="json")
    return {name: value for name, value in P.model_dump(mode="json").items() if value != defaults[name]}


def documentation() -> list[dict[str, Any]]:
    """One row a key: name, default, unit, meaning, source. What `./study params` prints."""
    return [
        {"key": name, "default": field.default, "meaning": field.description, **field.json_schema_extra}
        for name, field in Params.model_fields.items()
    ]
