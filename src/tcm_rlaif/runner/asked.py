"""How an exported model is loaded and asked without this project: with the very tokens that it was trained on.

What `models.chat` does beside the base's chat template is written into the template that is exported: then plain
libraries, and servers that take messages alone, need not be told of it.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tcm.cases import Case, Patient, Visit
from tcm_rlaif.models import chat, prompts
from tcm_rlaif.models.prompter import numbers
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Tokenizer

if TYPE_CHECKING:
    from transformers import GenerationConfig

EXAMPLE = Case(
    id="example",
    source="example",
    patient_id="example",
    patient=Patient(sex="女", age=45),
    visit=Visit(chief_complaint="失眠3月", history="心烦易怒，口苦", tongue="红，苔黄", pulse="弦数"),
)
SYSTEM_FIRST = """\
{% if messages[0].role == 'system' and messages | length > 1 %}
{% set joined = messages[0].content ~ '\\n\\n' ~ messages[1].content %}
{% set messages = [{'role': messages[1].role, 'content': joined}] + messages[2:] %}
{% endif %}
"""
"""For a template without a system role: the system's text goes before the first user's, as `chat.fitted` puts it."""


def template(tokenizer: Tokenizer) -> str:
    """The chat template of a tokenizer that was made fit (`chat.prepare`), with what `chat` does beside it written in.

    So a system and a user message become the tokens of `chat.prompt_tokens` wherever the template is read, also in a
    server that takes messages alone. What is set here stands above what a caller sets. A line break behind a tag is
    dropped by the template language, so that what the template itself writes stays as it is.
    """
    posed = [{"role": role, "content": "问"} for role in ("system", "user")]
    settings = [f"{{% set {name} = {json.dumps(value)} %}}\n" for name, value in chat.RENDERING.items()]
    joined = SYSTEM_FIRST if len(chat.fitted(tokenizer, posed)) == 1 else ""
    return "".join(settings) + joined + tokenizer.chat_template


def loading(base: str, kind: str) -> str:
    """Code that loads an exported model and its tokenizer by plain libraries, run in the folder of the export.

    Args:
        base: its name or folder.
        kind: `adapter` or `merged`.
    """
    peft, how, adapted = "", "", ""
    if kind == "adapter":  # the base's own way of decoding has penalties and ends that the study did not answer with
        peft, how = "from peft import PeftModel\n", ", GenerationConfig"
        adapted = (
            f'model.generation_config = GenerationConfig.from_pretrained("{kind}")\n'
            f'model = PeftModel.from_pretrained(model, "{kind}")\n'
        )
    return (
        f"{peft}from transformers import AutoModelForCausalLM, AutoTokenizer{how}\n\n"
        f'model = AutoModelForCausalLM.from_pretrained("{base if kind == "adapter" else kind}")\n{adapted}'
        f'tokenizer = AutoTokenizer.from_pretrained("{kind}")'
    )


def asking() -> str:
    """Code that asks what `loading` loaded an invented case as the study asked its cases, and prints the answer."""
    return f"""\
messages = {json.dumps(prompts.prompt(EXAMPLE), ensure_ascii=False, indent=4)}
asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
said = model.generate(**asked.to(model.device))
print(tokenizer.decode(said[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))"""


def decoding(P: Params, ends: Sequence[int], padding: int) -> "GenerationConfig":
    """How the study decoded its answers at the test, for `generate`.

    Args:
        ends: tokens that end an answer, as of `chat.ends`.
        padding: token to pad with.
    """
    from transformers import GenerationConfig

    drawn = {"do_sample": True, "temperature": P.eval_temperature, "top_p": P.candidate_top_p, "top_k": 0}
    how = drawn if P.eval_temperature else {"do_sample": False}
    return GenerationConfig(max_new_tokens=P.eval_max_new_tokens, eos_token_id=list(ends), pad_token_id=padding, **how)


def said(P: Params, kind: str) -> str:
    """What a card says of it; `kind` as for `loading`."""
    evidence = ", ".join(f"{k} {n}" for k, n in numbers(P).items() if n)
    drawn = (
        f"drawn at temperature {P.eval_temperature:g}, top_p {P.candidate_top_p:g}" if P.eval_temperature else "greedy"
    )
    parts = [
        f"With a system and a user message; answers are {drawn} and of at most {P.eval_max_new_tokens} new tokens. The "
        "chat template in this folder is the base's with what the study's own code does beside it written in, so that "
        "these messages become the very tokens of training and test (the study also breaks by a blank what in a case "
        f"spells a marker of the template, such as an end of turn):\n\n```python\n{asking()}\n```"
    ]
    if kind == "merged":
        parts.append(
            f"A server (`transformers serve merged`, `vllm serve merged`) takes the same messages; ask it for "
            f'`"temperature": {P.eval_temperature:g}, "max_tokens": {P.eval_max_new_tokens}`: its own limit and '
            "temperature are others."
        )
    if P.candidate_end_at_loop:
        parts.append(
            "The study ended an answer that named a herb for the third time before the herbs that it named again "
            "(`candidate_end_at_loop`). Neither this code nor a server does: such an answer goes on here, to the limit "
            "at worst, and the results below are of those that ended. `./study predict` of the project has the rule."
        )
    if evidence:
        parts.append(
            f"This arm was trained and tested with evidence before the case ({evidence}): asked "
            "without it, the results below do not hold. `./study predict` of the project asks it as the study did."
        )
    if P.eval_number > 1:
        parts.append(f"The results are of {P.eval_number} draws a case, of which one was chosen ({P.eval_choice}).")
    return "\n\n".join(parts)
