"""Any chat template: messages as it takes them, the tokens of question and answer, and the token that ends a turn.

What differs between model families (roles, markers, what begins an answer, what ends a turn) is found by rendering
the model's own template; none is known here by name.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from jinja2 import TemplateError

from tcm_rlaif.study.types import Model, Tokenizer

Messages = list[dict[str, str]]

# For a model that has no template. The answer ends with the model's own end token.
PLAIN = (
    "{%- for m in messages %}{% if m.role == 'assistant' %}答：{{ m.content }}{{ eos_token }}\n"
    "{% else %}{{ m.content }}\n\n{% endif %}{% endfor %}{%- if add_generation_prompt %}答：{% endif %}"
)
# Hybrid models answer at once instead of thinking aloud, and no template writes today's date: a prompt of tomorrow's
# test has to be the one of today's training.
DAY = date(2025, 1, 1)
RENDERING = {"enable_thinking": False, "date_string": f"{DAY:%d %b %Y}"}
# Templates also ask the clock, by a function that no caller of transformers can replace; a macro of its name can.
CLOCK = "strftime_now"
STOPPED = (
    f"{{% macro {CLOCK}(format) %}}{{{{ format"
    + "".join(f" | replace('%{p}', '{DAY.strftime(f'%{p}')}')" for p in "a A b B d -d m -m y Y H I M S p".split())
    + " }}{% endmacro %}\n"  # transformers leaves out this line break: what follows begins as it did
)
MARKER = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Z][A-Z_]{0,20}\]")
STAND_IN = "答案"  # for an answer, to find what a template writes around it
PADDING = ("<|endoftext|>", "<unk>", "<pad>", "[PAD]")


def rendered(tokenizer: Tokenizer, messages: Messages, *, ask: bool) -> str:
    """Messages as the model's template writes them.

    Args:
        ask: whether the beginning of an answer follows.
    """
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask, **RENDERING)


def fitted(tokenizer: Tokenizer, messages: Messages) -> Messages:
    """Messages as the model's template takes them, in which no text can be read as a turn.

    Where the template has no system role, its text goes before the first user's. A marker of the template or special
    token that a record's text spells (`<|im_end|>`) is broken by a blank, so that no tokenizer takes it for one. Where
    the template ends an answer with no token, the end token is written behind it.
    """
    said = [{**m, "content": _unmarked(tokenizer, m["content"])} for m in messages]
    if said[0]["role"] == "system" and not _takes_system(tokenizer, tokenizer.chat_template):
        system, user, *rest = said
        said = [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *rest]
    if not _tail_token(tokenizer, tokenizer.chat_template):
        said = [{**m, "content": m["content"] + tokenizer.eos_token * (m["role"] == "assistant")} for m in said]
    return said


def _unmarked(tokenizer: Tokenizer, text: str) -> str:
    """A text in which every marker is broken, also what the tokenizer's own spelling makes one (`＜|im_end|＞`)."""
    text = _markers(tokenizer, tokenizer.chat_template).sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    if tokenizer.is_fast and any(token.normalized for token in tokenizer.added_tokens_decoder.values()):
        special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
        for joint in " ·":  # some tokenizers take blanks out
            read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            for number, (first, _) in reversed([*zip(read["input_ids"], read["offset_mapping"], strict=True)]):
                if number in special:
                    text = f"{text[: first + 1]}{joint}{text[first + 1 :]}"
    return text


def prompt_tokens(tokenizer: Tokenizer, prompt: Messages) -> list[int]:
    """The tokens that a model is asked with, up to where its answer begins."""
    text = rendered(tokenizer, fitted(tokenizer, prompt), ask=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def row_tokens(tokenizer: Tokenizer, prompt: Messages, completion: Messages) -> tuple[list[int], int]:
    """The tokens of a prompt with its answer, and where the answer begins.

    The prompt's tokens are those of `prompt_tokens`, so that training asks as sampling does. The answer ends with the
    end of its turn (and the white space that the template writes there); what a template adds to a closed
    conversation is left out.
    """
    said = fitted(tokenizer, [*prompt, {"role": "assistant", "content": STAND_IN}])
    asked, whole = rendered(tokenizer, said[:-1], ask=True), rendered(tokenizer, said, ask=False)
    lead, found, tail = whole.rpartition(STAND_IN)
    if not found:
        raise ValueError(f"base_model: its chat template changes the text of answers: {STAND_IN!r} is not in {whole!r}")
    before, end, after = tail.partition(tokenizer.eos_token)
    after = after[: len(after) - len(after.lstrip())]
    answer = _unmarked(tokenizer, completion[0]["content"]).strip()
    learned = lead[len(asked) :] * lead.startswith(asked) + answer + before + end + after
    head, row = tokenizer([asked, asked + learned], add_special_tokens=False)["input_ids"]
    if row[: len(head)] != head:  # the tokenizer joins prompt and answer; the sampler gets the prompt by itself
        row = head + tokenizer(learned, add_special_tokens=False)["input_ids"]
    return row, len(head)


def ends(model: Model, tokenizer: Tokenizer) -> list[int]:
    """The tokens that end an answer: the end of the template's turn, and what else the model ends texts with.

    Padding is among them where the model names it as an end, as Qwen's does.
    """
    known = getattr(model, "generation_config", None) and model.generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *([known] if isinstance(known, int) else known or ())})


def prepare(tokenizer: Tokenizer, model: Model, name: str) -> None:
    """Make a tokenizer fit for chat: a template, its end of turn as the end token, padding that is no end token.

    Args:
        model: its `generation_config` keeps the ends of texts that it knew beside the end of a turn.
        name: of the key and the model, for errors.

    Raises:
        ValueError: where the model has no token that ends a text, none to pad with, or a template that is of no use.
    """
    if tokenizer.eos_token is None:
        raise ValueError(
            f"{name}: the tokenizer has no end token, so that no answer could end; name it as eos_token in the model's "
            "tokenizer_config.json"
        )
    tokenizer.chat_template = _template(tokenizer, name)
    known = ends(model, tokenizer)
    tokenizer.eos_token = _tail_token(tokenizer, tokenizer.chat_template) or tokenizer.eos_token
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        # padding with the end token would hide the end from the loss and the model would never learn to stop
        tokenizer.pad_token = _padding(tokenizer, known, name)
    tokenizer.padding_side = "left"
    model.generation_config.eos_token_id = sorted({*known, tokenizer.eos_token_id})


def _template(tokenizer: Tokenizer, name: str) -> str:
    """A template that writes questions and answers as they are given, and no date but one.

    Raises:
        ValueError: where the model's own cannot.
    """
    template = tokenizer.chat_template
    if template is None:
        first = tokenizer("问")["input_ids"][:1]  # many base models expect every text to begin with a token of its own
        return ("{{ bos_token }}" if first == [tokenizer.bos_token_id] else "") + PLAIN
    if isinstance(template, dict):
        if "default" not in template:
            raise ValueError(
                f"{name}: none of its chat templates ({', '.join(sorted(template))}) is named default; name so the one "
                "for plain conversations, in the model's folder"
            )
        template = template["default"]
    if CLOCK in template and STOPPED not in template:  # an exported model has it
        template = STOPPED + template
    fix = "put one for plain conversations into chat_template.jinja of the model's folder"
    try:
        written = tokenizer.apply_chat_template(_example(), chat_template=template, tokenize=False, **RENDERING)
    except Exception as error:  # a template is a program of the model's: any error may be in it
        raise ValueError(f"{name}: its chat template fails ({' '.join(str(error).split())}); {fix}") from error
    if lost := [m["content"] for m in _example() if m["content"] not in written]:
        raise ValueError(
            f"{name}: its chat template leaves out what is said, as {lost[0]!r} (it may want lists of parts); {fix}"
        )
    return template


def _padding(tokenizer: Tokenizer, known: Sequence[int], name: str) -> str:
    """A token to pad with: one that is meant for it, or a special one that no text of the template holds."""
    written = rendered(tokenizer, _example(), ask=False) + rendered(tokenizer, _example()[:1], ask=True)
    taken = {tokenizer.eos_token, *tokenizer.convert_ids_to_tokens(list(known))}
    meant = [t for t in PADDING if t in tokenizer.get_vocab()]
    meant += [t for t in _special(tokenizer) if t not in written]
    spare = [t for t in meant if t not in taken]
    if not spare:
        raise ValueError(f"{name}: the tokenizer has no padding token other than its end token; add one")
    return spare[0]


def _example() -> Messages:
    return [{"role": "user", "content": "问"}, {"role": "assistant", "content": STAND_IN}]


def _special(tokenizer: Tokenizer) -> list[str]:
    return [str(t) for _, t in sorted(tokenizer.added_tokens_decoder.items()) if t.special]


@lru_cache(maxsize=8)
def _takes_system(tokenizer: Tokenizer, template: str) -> bool:
    """Whether a template writes a system message: some raise an error, some leave it out."""
    try:
        return "系统" in rendered(tokenizer, [{"role": "system", "content": "系统"}, *_example()], ask=False)
    except TemplateError:
        return False


@lru_cache(maxsize=8)
def _tail_token(tokenizer: Tokenizer, template: str) -> str | None:
    """The first special token that a template writes behind an answer; None where it writes none."""
    tail = rendered(tokenizer, _example(), ask=False).rpartition(STAND_IN)[2]
    special = {*_special(tokenizer), *tokenizer.all_special_tokens}
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(tail, add_special_tokens=False)["input_ids"])
    return next((token for token in tokens if token in special), None)


@lru_cache(maxsize=8)
def _markers(tokenizer: Tokenizer, template: str) -> re.Pattern:
    """Every special token, and whatever looks like a marker in what the template writes around texts."""
    around = rendered(tokenizer, _example(), ask=False) + rendered(tokenizer, _example()[:1], ask=True)
    found = {*_special(tokenizer), *tokenizer.all_special_tokens, *MARKER.findall(around)}
    found |= {t for t in tokenizer.get_added_vocab() if MARKER.fullmatch(t)}
    return re.compile("|".join(re.escape(m) for m in sorted(found, key=len, reverse=True) if len(m) > 1) or r"(?!)")
