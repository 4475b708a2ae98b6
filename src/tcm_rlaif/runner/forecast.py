"""What a study would do, before it does anything: runs, steps, tokens, answers, minutes. Nothing is fetched or trained.

Lengths are those of the study's own cases in the model's tokens, the speed is measured on this machine with the model
itself (`probe`); where the model is not here, nothing is guessed about time.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from operator import add
from statistics import fmean

from tcm import sources
from tcm.answers import write
from tcm.cases import Case, cleaning, splits
from tcm.invented import invent_cases
from tcm_rlaif.models.loading import compute_dtype, load_base
from tcm_rlaif.models.memory import PACKED
from tcm_rlaif.models.prompter import Prompter, numbers
from tcm_rlaif.models.prompts import completion
from tcm_rlaif.runner import probe
from tcm_rlaif.runner.study import check_models
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import Run, plan
from tcm_rlaif.study.schema import Params

SAMPLE = 24  # cases whose lengths stand for all; our choice
TOKENS_A_CHARACTER = 0.7  # without the tokenizer: of Chinese text in the Qwen family, measured on BEST4SDT cases
OVERHEAD = 25.0  # seconds of a notebook that are not its work: kernel, imports, loading; measured on 2 cores


@dataclass(frozen=True)
class Lengths:
    """Mean tokens of a prompt and of an answer."""

    prompt: float
    answer: float


@dataclass(frozen=True)
class Work:
    """What one run does, at most: tokens learned, read and said, and what makes them."""

    steps: int = 0
    learned: float = 0
    read: float = 0
    answers: int = 0
    said: float = 0

    def seconds(self, rates: probe.Rates) -> float:
        """How long it takes at the speed that was measured."""
        return OVERHEAD + self.learned / rates.learned + self.read / rates.read + self.said / rates.said


def cases_of(P: Params) -> dict[str, list[Case]]:
    """The cases of a study by split, as `01_data_prep` makes them."""
    if P.data_source == "invented":
        how = (P.data_follow_up_share, P.data_seed, P.base_patterns, P.data_physicians)
        invented = invent_cases(P.data_cases + P.data_unlabelled, *how)
        pool = [case.model_copy(update={"answer": None}) for case in invented[P.data_cases :]]
        found = invented[: P.data_cases] + pool
    else:
        how = (P.data_columns, P.data_fill_merged, P.data_leave_out)
        found = sources.SOURCES[P.data_source](ROOT / P.data_path, *how).cases
    kept, _, pool = cleaning.clean(found, P.data_limit)
    group = splits.groups(kept, P.data_near_duplicate)
    place = splits.split(kept, group, P.data_validation_share, P.data_test_share, P.data_seed)
    placed = dict(zip((case.id for case in kept), place, strict=True))
    order = kept if P.data_source == "invented" else splits.by_lot(kept, P.data_seed)
    parts = {name: [case for case in order if placed[case.id] == name] for name in ("train", "validation", "test")}
    return parts | {"unlabelled": splits.unlabelled(pool, kept, place, P.data_near_duplicate)[0]}


def lengths(cases: dict[str, list[Case]], P: Params, tokenizer=None) -> tuple[Lengths, list[list[int]]]:
    """Mean lengths of what an arm asks and answers, and the rows that were counted, as tokens (empty without one)."""
    from tcm_rlaif.models import chat

    prompter = Prompter(P, cases["train"])
    seen = [case for case in cases["train"] if case.answer][:SAMPLE]
    asked = [prompter.messages(case) for case in seen]
    if tokenizer is None:
        characters = [sum(len(m["content"]) for m in messages) for messages in asked]
        answers = [len(write(case.answer)) for case in seen]
        return Lengths(TOKENS_A_CHARACTER * fmean(characters), TOKENS_A_CHARACTER * fmean(answers)), []
    rows = [chat.row_tokens(tokenizer, m, completion(c.answer)) for m, c in zip(asked, seen, strict=True)]
    return Lengths(fmean(first for _, first in rows), fmean(len(ids) - first for ids, first in rows)), [
        r for r, _ in rows
    ]


def work_of(run: Run, P: Params, cases: dict[str, list[Case]], long: Lengths) -> Work:
    """What a run does with an arm's parameters; where a number is only known later, the most that it can be."""
    row, inputs = long.prompt + long.answer, dict(run.inputs)
    prompts = len([*cases["train"], *cases["unlabelled"]][: P.candidate_prompts or None])

    def said(number: int, longest: int, learned: bool) -> Work:
        """Answers as long as physicians' after training on them; a model that was not may go on to the end."""
        each = min(longest, long.answer) if learned else longest
        return Work(answers=number, said=number * each, read=number * long.prompt)

    if run.stage == "00_base_model" and P.base_model == "tiny":
        return Work(steps=P.base_steps, learned=P.base_steps * P.base_batch_size * P.base_block)
    if run.stage == "02_sft":
        return _sft(P, cases, row)
    if run.stage == "03_rlaif_labels":
        return said(prompts * P.candidate_number, P.candidate_max_new_tokens, "sft" in inputs)
    if run.stage == "04_dpo":
        return _preferences(P, prompts, long, said(2 * P.dpo_health_cases, P.candidate_max_new_tokens, True))
    if run.stage == "05_evaluate":
        asked = len(cases["test"][: P.eval_cases or None])
        return said(asked * P.eval_number, P.eval_max_new_tokens, "sft" in inputs)
    if run.stage == "07_probes":
        return Work(read=sum(len(params.seeds_of(P, arm)) for arm in P.probe_arms) * P.probe_cases * long.prompt)
    return Work()


def _sft(P: Params, cases: dict[str, list[Case]], row: float) -> Work:
    from tcm_rlaif.training.arguments import steps_of
    from tcm_rlaif.training.textbook import BLOCK, passages

    answers = len([case for case in cases["train"][: P.sft_cases or None] if case.answer])
    text = P.sft_textbook_passes and P.sft_textbook_passes * TOKENS_A_CHARACTER * sum(map(len, passages(0)))
    batch = P.sft_batch_size * P.sft_accumulation
    steps = steps_of(answers, batch, P.sft_epochs) + int(text / min(BLOCK, P.sft_max_length) / batch)
    learned = answers * P.sft_epochs * row * (2 if P.sft_noise_stability else 1)  # a second pass; rows cost no step
    return Work(steps=steps, learned=learned + text, read=len(cases["validation"]) * P.sft_epochs * row)


def _preferences(P: Params, prompts: int, long: Lengths, health: Work) -> Work:
    from tcm_rlaif.training.methods import METHODS

    method, row = METHODS[P.preference_training], long.prompt + long.answer
    drawn = prompts * P.candidate_number
    rows, learned = {  # rows of a round, and the answers that are passed in it
        "best_of_n": (n := round(prompts / (1 - P.preference_replay)), n * P.preference_epochs),
        "sft_more": (n, n * P.preference_epochs),
        "grpo": (prompts, drawn),
    }.get(P.preference_training, (prompts * P.pair_number, 2 * prompts * P.pair_number * P.dpo_epochs))
    rounds, reference = P.preference_rounds, P.preference_training in ("dpo", "kto")
    checks = (P.dpo_health_evaluations + 1) * (1 if method.online else rounds)
    sampled = drawn * rounds if method.online else drawn * (rounds - 1) * method.asks
    answers = checks * health.answers + sampled
    steps = method.steps(P, rows) * (1 if method.online else rounds)
    once = learned / 2 * long.prompt if P.preference_training == "dpo" else 0  # of a pair, see `shared_prefix`
    tokens = (learned * row - once) * rounds
    return Work(
        steps=steps, learned=tokens, read=tokens * reference + checks * health.read, answers=answers,
        said=answers * health.said / max(1, health.answers),
    )  # fmt: skip


def learned_together(run: Run, P: Params) -> int:
    """Rows of a run that are forward and backward in memory at once; 0 where it learns nothing."""
    if run.stage == "02_sft":
        return P.sft_batch_size
    if run.stage != "04_dpo":
        return 0
    dpo = {"dpo": 2, "kto": 1, "sft_chosen": 1, "grpo": P.candidate_number}.get(P.preference_training, 0)
    return dpo * P.dpo_batch_size or P.sft_batch_size


def forecast(P: Params) -> Sequence[str]:
    """The lines of `./study plan`: one a run that is due, then the sums, and what was measured or could not be.

    Raises:
        ParamsError, ModelError: as the study would before it runs anything.
    """
    cases, due = cases_of(P), stage.problems(P)
    check_models(P, due)
    source = probe.on_this_machine(P)
    model, tokenizer = load_base(source, P) if source else (None, None)
    together = max([1, *(learned_together(run, params.for_arm(P, run.arm)) for run in plan(P) if run.folder in due)])
    rates = probe.measure(model, lengths(cases, P, tokenizer)[1], P, together) if model else None
    lines = [f"{'run':44} {'steps':>7} {'learned':>11} {'answers':>8} {'said':>10} {'minutes':>8}"]
    known: dict[str, Lengths] = {}
    total, minutes = Work(), 0.0
    for run in plan(P):
        if run.folder not in due:
            lines.append(f"{run.folder:44} done")
            continue
        arm = params.for_arm(P, run.arm)
        long = known.setdefault(str((numbers(arm), arm.sft_cases)), lengths(cases, arm, tokenizer)[0])
        done = work_of(run, arm, cases, long)
        needed = done.seconds(rates) / 60 if rates else None
        lines.append(_line(run.folder, done, needed))
        total, minutes = Work(*map(add, astuple(total), astuple(done))), minutes + (needed or 0)
    lines.append(_line("all runs that are due, one after the other", total, minutes if rates else None))
    lines.append(f"cases: {', '.join(f'{len(part)} {name}' for name, part in cases.items())}")
    return [*lines, *_said(P, rates)]


def _line(name: str, work: Work, minutes: float | None) -> str:
    time = "?" if minutes is None else f"{minutes:,.1f}"
    return f"{name:44} {work.steps:>7,} {work.learned:>11,.0f} {work.answers:>8,} {work.said:>10,.0f} {time:>8}"


def _said(P: Params, rates: probe.Rates | None) -> list[str]:
    """What the numbers rest on."""
    lines = [
        "learned and said: tokens; pairs, and answers of models that were not trained, as many and as long as may be"
    ]
    if {"openai", "transformers"} & set(P.judge):
        lines.append(f"the time of the judge {P.judge_model} is not measured and not in the minutes")
    if rates is None:
        here = (
            "is built by 00_base_model" if P.base_model == "tiny" else "is not on this machine and nothing was fetched"
        )
        if shape := probe.outline(P):
            weight = PACKED if P.base_quantization == "4bit" else compute_dtype(P).itemsize
            lines.append(
                f"{P.base_model}: {_parameters(*shape)}, by its configuration, which is here; memory: more than the "
                f"{shape[0] * weight / 2**30:,.1f} GiB of its weights"
            )
        return [*lines, f"{P.base_model}: the model {here}, so no time and memory are measured; tokens are estimated"]
    return [
        *lines,
        f"{P.base_model}: {_parameters(rates.parameters, rates.trained)}",
        f"measured here ({rates.device}): {rates.learned:,.0f} tokens a second learned, {rates.read:,.0f} read, "
        f"{rates.said:,.0f} said",
        f"memory: about {rates.memory_mib / 1024:,.1f} GiB with the longest batch that is learned"
        + (", layers computed twice" if rates.twice else ""),
    ]


def _parameters(total: int, trained: int) -> str:
    return f"{total / 1e6:,.1f} million parameters, {trained / 1e6:,.1f} million trained"
