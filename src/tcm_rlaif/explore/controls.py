"""Controls of the explore notebook: pick a study, an arm, a seed and a case, and everything below follows.

Where somebody watches, what is shown follows its controls; where nobody does (papermill), it is shown once, for the
values that the controls begin with, so that the executed notebook can be read without widgets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tcm.cases import Case, CaseError
from tcm_rlaif.explore.opened import OpenStudy, finished, first_choice, opened
from tcm_rlaif.models.loading import ModelError
from tcm_rlaif.report import plots
from tcm_rlaif.study import lab
from tcm_rlaif.study.params import ParamsError, nearest
from tcm_rlaif.study.plan import StageError

WIDE = {"width": "95%"}


@dataclass(frozen=True)
class Chosen:
    """What is picked."""

    study: OpenStudy
    arm: str
    seed: int
    case: Case

    @property
    def said(self) -> str:
        """What the arm answered to the case."""
        return self.study.answer(self.case.id, self.arm, self.seed)


class Picker:
    """Study, arm, seed and case; each list follows the choice before it.

    Args:
        params_file: of the notebook; empty = that of `./study lab PARAMS`, or the newest finished study.
        arm: to begin with; empty = `sft_dpo`, or the last one of the study. The case to begin with is the one that was
            answered in most different ways.
        seed: to begin with.

    Raises:
        StageError: where no study is finished (with the command that makes one), or it has no such arm.
    """

    def __init__(self, params_file: str = "", arm: str = "", seed: int = 0) -> None:
        import ipywidgets

        lab.errors_in_short(ParamsError, StageError, CaseError, ModelError)
        plots.style()
        self._open = lru_cache(maxsize=2)(opened)
        self._filling = False
        self._first: list[Callable[[], None]] = []  # texts that begin anew with each choice
        self._then: list[Callable[[], None]] = []  # what is shown of a choice
        style = {"description_width": "3.5em"}
        name = first_choice(params_file)
        self._study = ipywidgets.Dropdown(options=list(finished()), value=name, description="study", style=style)
        self._arm, self._seed, self._case = (
            ipywidgets.Dropdown(description=what, style=style) for what in ("arm", "seed", "case")
        )
        self._case.layout.width = "32em"
        self._note = ipywidgets.Label()
        self._opened, study = name, self._open(name)
        if arm and arm not in study.arms:
            raise StageError(f"arm: study {name!r} has no arm {arm!r}; {nearest(arm, study.arms)}")
        self._fill(arm, seed)
        self._study.observe(lambda _: self._changed(self._fill), "value")
        self._arm.observe(lambda _: self._changed(self._seeds), "value")
        for control in (self._seed, self._case):
            control.observe(lambda _: self._changed(), "value")

    @property
    def chosen(self) -> Chosen:
        """What is picked now."""
        study = self._open(self._study.value)
        return Chosen(study, self._arm.value, self._seed.value, study.cases[self._case.value])

    def show(self) -> None:
        """Show the lists; where nobody watches, what they begin with."""
        if not lab.watched():
            now = self.chosen
            print(f"study {self._study.value}, arm {now.arm}, seed {now.seed}, case {now.case.id}")
            return
        import ipywidgets
        from IPython.display import display

        display(ipywidgets.VBox([ipywidgets.HBox([self._study, self._arm, self._seed]), self._case, self._note]))

    def text(self, begins: Callable[[Chosen], str], name: str, rows: int = 2):
        """A text to edit, which begins anew with each choice."""
        import ipywidgets

        area = ipywidgets.Textarea(description=name, rows=rows, layout=WIDE, style={"description_width": "7em"})

        def begin() -> None:
            area.value = begins(self.chosen)

        begin()
        self._first.append(begin)
        return area

    def live(self, view: Callable[..., None], button: str = "", **controls: Any) -> None:
        """Show something of what is picked, and again whenever that or a control changes.

        Args:
            view: called with the choice, and with the value of each control under its name.
            button: where it is given, only a press of a button of this name shows it again: for what takes seconds.
                What was shown of another choice goes, so that it is not read as one of this.
            controls: ipywidgets with a value.
        """

        def values() -> dict[str, Any]:
            return {name: control.value for name, control in controls.items()}

        if not lab.watched():
            view(self.chosen, **values())
            return
        import ipywidgets
        from IPython.display import display

        output = ipywidgets.Output()

        def again(_=None) -> None:
            if self._filling:
                return
            with output:
                output.clear_output(wait=True)
                try:
                    view(self.chosen, **values())
                except (ValueError, StageError) as error:  # e.g. a case that is longer than the model's context
                    print(f"{type(error).__name__}: {error}")

        def outdated() -> None:
            with output:
                output.clear_output(wait=True)
                print(f"Another choice: press “{button}”.")

        shown = list(controls.values())
        if button:
            press = ipywidgets.Button(description=button)
            press.on_click(again)
            shown.append(press)
            self._then.append(outdated)
        else:
            self._then.append(again)
            for control in shown:
                control.observe(again, "value")
        display(ipywidgets.VBox([*shown, output]))
        again()

    def _changed(self, fill: Callable[[], None] = lambda: None) -> None:
        """Bring all lists and texts to the new choice first, then show it once; a study that cannot be read is left."""
        if self._filling:
            return
        self._filling, wanted, problem = True, self._study.value, ""
        self._note.value = f"reading {wanted} …"
        try:
            fill()
        except (ValueError, OSError, KeyError, StageError) as error:
            problem = f"{wanted} cannot be opened: {error}"
            self._study.value = self._opened
            self._fill()
        try:
            for begin in self._first:
                begin()
        finally:
            self._filling, self._opened, self._note.value = False, self._study.value, problem
        for again in self._then:
            again()

    def _fill(self, arm: str = "", seed: int | None = None) -> None:
        study = self._open(self._study.value)
        self._arm.options = study.arms
        self._arm.value = arm or study.arms[0]
        self._seeds(seed)
        self._case.options = [(_label(case), name) for name, case in study.cases.items()]
        self._case.value = study.telling

    def _seeds(self, seed: int | None = None) -> None:
        found = self._open(self._study.value).seeds(self._arm.value)
        wanted = self._seed.value if seed is None else seed
        self._seed.options = found
        self._seed.value = wanted if wanted in found else found[0]


def _label(case: Case) -> str:
    disease = case.answer.disease if case.answer else ""
    return " · ".join(filter(None, (case.id, disease, "follow-up" if case.earlier_visits else "first visit")))
