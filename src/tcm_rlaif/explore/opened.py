"""A finished study, opened to be looked at and asked: its cases, what was answered to them, its trained models.

Nothing here writes or trains: a study that was explored is the study that it was.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm.cases import Case, read_split
from tcm.evidence import CaseEvidence, Evidence
from tcm.files import read_json
from tcm_rlaif.feedback.judges import computed_judge
from tcm_rlaif.models.prompter import Prompter
from tcm_rlaif.report import browser
from tcm_rlaif.study import lab, params
from tcm_rlaif.study.params import ROOT, SNAPSHOT, ParamsError
from tcm_rlaif.study.plan import ABLATION, StageError, find_run, plan, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.stage import DONE

if TYPE_CHECKING:
    from tcm_rlaif.feedback.judges.rubric import RubricJudge


@dataclass(frozen=True)
class Policy:
    """A trained arm that can be asked.

    Args:
        P: the arm's parameters: it is asked as it was trained.
    """

    model: Any
    tokenizer: Any
    prompter: Prompter
    P: Params


class OpenStudy:
    """A finished study.

    Args:
        P: the study's parameters, as they were when it ran.
    """

    def __init__(self, P: Params) -> None:
        self.P, self.folder = P, study_folder(P)
        self._data = self.folder / next(run.folder for run in plan(P) if run.stage == "01_data_prep")
        self._policy = lru_cache(maxsize=2)(self._load)

    @cached_property
    def train(self) -> list[Case]:
        """Training cases: what prompts, judge and evidence may know."""
        return read_split(self._data, "train")

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The test cases that were answered, by id."""
        return {case.id: case for case in read_split(self._data, "test") if case.id in self.answered}

    @cached_property
    def answered(self) -> dict[str, dict[str, Any]]:
        """What the case browser shows of each test case, by id (`report.browser.data_of`)."""
        return {case["id"]: case for case in browser.data_of(self.P)["cases"]}

    @cached_property
    def judge(self) -> "RubricJudge":
        """The study's judge where it computes, else the rubric."""
        return computed_judge(self.P, self.train)

    def evidence(self, case: Case) -> CaseEvidence:
        """What the tables and the training answers lead to expect of an answer to the case."""
        return self._evidence.about([case])[0]

    @cached_property
    def _evidence(self) -> Evidence:
        return Evidence(self.train[: self.P.sft_cases or None], self.P.data_near_duplicate)

    @property
    def arms(self) -> list[str]:
        """All arms: first `sft_dpo`, the method itself, where the study has it, then from the last to the first."""
        last_first = list(self.P.arms)[::-1]
        last_first.sort(key=lambda arm: arm != "sft_dpo")
        return last_first

    @property
    def telling(self) -> str:
        """The id of the test case that was answered in most different ways: it shows most."""
        return max(self.cases, key=lambda case_id: len(self.answered[case_id]["answers"]))

    def seeds(self, arm: str) -> list[int]:
        """The seeds that an arm was trained with; an untrained model answers once."""
        prefix = f"{arm}/seed"
        last = next(run for run in plan(self.P) if run.stage == ABLATION)
        return [int(name.removeprefix(prefix)) for name, _ in last.inputs if name.startswith(prefix)]

    def answer(self, case_id: str, arm: str, seed: int) -> str:
        """What an arm answered to a test case."""
        entries = self.answered[case_id]["answers"]
        return next((entry["text"] for entry in entries if [arm, seed] in entry["by"]), "")

    def policy(self, arm: str, seed: int) -> Policy:
        """A trained arm, loaded (two are kept)."""
        return self._policy(arm, seed)

    def _load(self, arm: str, seed: int) -> Policy:
        from transformers.utils.logging import disable_progress_bar

        from tcm_rlaif.models import loading

        disable_progress_bar()  # of weights that are read in a second, and then stands above the answer for good
        inputs = dict(find_run(self.P, "05_evaluate", arm, seed).inputs)
        trained = next((self.folder / inputs[role] / "adapter" for role in ("dpo", "sft") if role in inputs), None)
        source = read_json(self.folder / inputs["base"] / DONE)["model"]
        P = params.for_arm(self.P, arm)
        model, tokenizer = loading.load_policy(source, trained, P)
        return Policy(model, tokenizer, Prompter(P, self.train), P)


def finished() -> dict[str, Path]:
    """The studies under `runs` that came to their end, newest first: name -> the parameters that they ran with."""
    ends = [(path.parent / ABLATION / DONE, path) for path in (ROOT / "runs").glob(f"*/{SNAPSHOT}")]
    done = [(end.stat().st_mtime, path) for end, path in ends if end.exists()]
    return {path.parent.name: path for _, path in sorted(done, reverse=True)}


def first_choice(params_file: str) -> str:
    """The study to begin with.

    Args:
        params_file: of the notebook; where it is empty, that of `./study lab PARAMS`, else the newest finished study.

    Raises:
        StageError: with the command that makes it, where there is none.
    """
    done, file = finished(), lab.params_file(params_file)
    chosen = params.load(file).study
    if chosen in done:
        return chosen
    if done and file == lab.DEFAULT and not params_file:  # nobody chose it
        return next(iter(done))
    quick = "" if done or chosen == "smoke" else "; ./study run params/smoke.yaml makes a small one in minutes"
    raise StageError(f"study {chosen!r} is not finished: ./study run {file}{quick}")


def opened(name: str) -> OpenStudy:
    """Open a finished study.

    Raises:
        ParamsError: where its parameters are those of another version of this project.
    """
    path = finished()[name]
    try:
        return OpenStudy(params.load(path))
    except ParamsError as error:
        raise ParamsError(f"{error}; the study is of another version: ./study clean {name}, and run it again") from None


def variant(case: Case, fields: dict[str, str]) -> Case:
    """A case with its findings changed; it has no gold answer then, since no physician saw such a patient.

    Args:
        fields: `chief_complaint`, `history`, `tongue`, `pulse`.
    """
    if all(getattr(case.visit, name) == text for name, text in fields.items()):
        return case
    return case.model_copy(update={"visit": case.visit.model_copy(update=fields), "answer": None})
