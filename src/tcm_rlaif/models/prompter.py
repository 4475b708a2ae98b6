"""What stands in a policy's prompt beside the case: evidence from the tables and from other patients' answers.

One object asks everywhere: in SFT, for candidates, in preference training and its health panel, and at the test. With
all three numbers 0 it asks as `prompts.prompt` does, word for word. Where the prompt lists herbs, it also says in which
order an answer to be learned names them (`target`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tcm.answers import write
from tcm.answers.wording import case_text
from tcm.cases import Answer, Case, PrescriptionItem
from tcm.knowledge.names import herb_at
from tcm_rlaif.models import prompts
from tcm_rlaif.study.schema import Params

if TYPE_CHECKING:
    from tcm.evidence import CaseEvidence

Messages = list[dict[str, str]]


class Prompter:
    """Turns a case into the messages that pose it, with as much evidence before it as the parameters want.

    The evidence is that of the floor `expert` (`tcm.evidence`): fitted to the training answers that SFT sees; a case's
    own answer, and those of its patient and of near-duplicates, are never among it. Each case is asked about alone, so
    its prompt does not depend on what is asked beside it.

    Args:
        P: `prompt_patterns`, `prompt_cases`, `prompt_herbs` and `sft_herb_order`; `sft_cases` and
            `data_near_duplicate` as everywhere.
        training_cases: all training cases of the study.

    Source:
        Retrieval for prescriptions: arXiv 2602.22828; the parts and their order are our choice. Measured on 14 short
        validation cases of BEST4SDT, three cases and 20 herbs: an untrained 0.5B code model copies one of the three
        answers, in 10 of 14 cases the nearest, and ends every answer: herb F1 0.22 (nearest case 0.25, `expert` 0.25).
    """

    def __init__(self, P: Params, training_cases: Sequence[Case] = ()) -> None:
        self.numbers = numbers(P)
        self._found: dict[Case, CaseEvidence] = {}
        self._evidence = None
        self._sorts_answers = P.sft_herb_order == "prompt" and P.prompt_herbs > 0
        if any(self.numbers.values()):
            from tcm.evidence import Evidence

            self._evidence = Evidence(training_cases[: P.sft_cases or None], P.data_near_duplicate)

    def messages(self, case: Case) -> Messages:
        """The messages that pose a case."""
        system, user = prompts.prompt(case)
        if self._evidence is None:
            return [system, user]
        return [system, {**user, "content": f"{self._text(self._about(case))}{user['content']}"}]

    def target(self, case: Case) -> Case:
        """The case with its answer as training writes it: as it stands, or with its herbs as the prompt lists them.

        With `sft_herb_order: prompt` the herbs that the prompt lists come first, in its order and under its names
        (杭白芍 becomes 白芍: the same herb, processed alike), the others after them in the physician's order. No herb
        or dose is added, lost or changed.
        """
        listed = self._about(case).likely_herbs(self.numbers["prompt_herbs"]) if self._sorts_answers else ()
        if not listed or case.answer is None:
            return case
        herbs = in_order_of(listed, case.answer.prescription)
        return case.model_copy(update={"answer": case.answer.model_copy(update={"prescription": herbs})})

    def _about(self, case: Case) -> "CaseEvidence":
        asked = case.model_copy(update={"answer": None})
        if asked not in self._found:
            self._found[asked] = self._evidence.about([asked])[0]
        return self._found[asked]

    def _text(self, found: "CaseEvidence") -> str:
        parts = []
        if similar := found.similar_cases(self.numbers["prompt_cases"]):
            parts += [f"{case_text(case)}\n{write(case.answer)}" for case in similar]
            parts = [f"病例{number}\n{text}" for number, text in enumerate(parts, 1)]
        if fitting := found.best_patterns(self.numbers["prompt_patterns"]):
            parts.append("可参考的证候\n" + "\n".join(map(write, fitting)))
        if herbs := found.likely_herbs(self.numbers["prompt_herbs"]):
            parts.append("可参考的药物\n" + write(Answer(prescription=herbs)))
        return "".join(f"{part}\n\n" for part in parts) + ("现在的病例\n" if parts else "")

    def named(self) -> str:
        """The keys that lengthen prompts, for errors about lengths; empty where none does."""
        used = [f"{key} ({number})" for key, number in self.numbers.items() if number]
        return f"; or lower {', '.join(used)}" if used else ""


def in_order_of(
    listed: Sequence[PrescriptionItem], prescription: Sequence[PrescriptionItem]
) -> tuple[PrescriptionItem, ...]:
    """A prescription with its herbs in the order of a list and, where both mean the same form, under its names.

    Herbs are matched by base herb; what the list does not name comes last, in the order written.

    Source:
        A prescription is a set (TCM-FTP, arXiv 2407.10510, which permutes it); this order is our choice: an answer that
        goes down the list only has to tell which herbs to take, which a small model learns from few answers.
    """
    place = {herb_at(item.herb, "base"): number for number, item in enumerate(listed)}
    names = {herb_at(item.herb, "canonical"): item.herb for item in listed}
    ordered = sorted(prescription, key=lambda item: place.get(herb_at(item.herb, "base"), len(place)))
    return tuple(
        item.model_copy(update={"herb": names.get(herb_at(item.herb, "canonical"), item.herb)}) for item in ordered
    )


def numbers(P: Params) -> dict[str, int]:
    """How much evidence of each kind stands in a prompt, by the name of its key."""
    return {
        "prompt_patterns": P.prompt_patterns,
        "prompt_cases": P.prompt_cases,
        "prompt_herbs": P.prompt_herbs,
    }


PLAIN = Prompter(Params())
"""Asks without any evidence."""


def checked(prompter: Prompter | None, P: Params) -> Prompter:
    """The prompter to ask with.

    Raises:
        ValueError: where the parameters want evidence in the prompt and the caller brings a prompter without it: a
            policy would be asked otherwise than it was trained.
    """
    prompter = prompter or PLAIN
    if prompter.numbers != numbers(P):
        raise ValueError(
            f"{', '.join(numbers(P))}: ask with Prompter(P, training_cases), so that every stage asks alike"
        )
    return prompter
