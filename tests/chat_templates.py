"""Small chat templates in our own wording with the structure that model families have published, and tiny tokenizers.

Special tokens, roles and their order are facts about these families; nothing else is theirs.
"""

from dataclasses import dataclass
from functools import cache

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA2 = (
    "{% set before = '' %}{% if messages[0].role == 'system' %}"
    "{% set before = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
    "{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] "
    "{{ before if loop.first else '' }}{{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant speak here') }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
ROLES_AS_MARKERS = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}END\n{% endfor %}"
PHI3 = ROLES_AS_MARKERS.replace("END", "<|end|>") + (
    "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
)
ZEPHYR = ROLES_AS_MARKERS.replace("END", "{{ eos_token }}") + "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
DEEPSEEK = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
    "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}"
    "{% else %}<｜Assistant｜>{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)
FORGETS_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'user' %}<|prompter|>{{ m.content }}{{ eos_token }}"
    "{% elif m.role == 'assistant' %}<|assistant|>{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WITHOUT_END = (
    "{% for m in messages %}{{ m.role | upper }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT: {% endif %}"
)


@dataclass(frozen=True)
class Family:
    """What a family's tokenizer brings, and what has to be found out about it.

    Args:
        eos: the end token that the tokenizer names, and what `generation_config` has.
        end: what ends a turn.
        metaspace: words begin with ▁, as SentencePiece tokenizers have it, instead of byte-level BPE.
    """

    template: str | None
    eos: str
    end: str
    bos: str | None = None
    pad: str | None = None
    special: tuple[str, ...] = ()
    metaspace: bool = False
    adds_bos: bool = False
    system: bool = True


LLAMA3_TOKENS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|reserved_special_token_0|>")
FAMILIES = {
    "ChatML": Family(CHATML, "<|im_end|>", "<|im_end|>", pad="<|endoftext|>", special=("<|im_start|>",)),
    "ChatML on a base": Family(CHATML, "<|endoftext|>", "<|im_end|>", special=("<|im_start|>", "<|im_end|>", "<unk>")),
    "ChatML, thinking": Family(THINKING, "<|im_end|>", "<|im_end|>", pad="<|endoftext|>", special=("<|im_start|>",)),
    "Llama 3": Family(LLAMA3, "<|end_of_text|>", "<|eot_id|>", bos="<|begin_of_text|>", special=LLAMA3_TOKENS),
    "Llama 2": Family(LLAMA2, "</s>", "</s>", bos="<s>", special=("<unk>",), metaspace=True),
    "Mistral": Family(MISTRAL, "</s>", "</s>", bos="<s>", special=("<unk>",), metaspace=True, system=False),
    "Mistral, control tokens": Family(
        MISTRAL, "</s>", "</s>", bos="<s>", special=("<unk>", "[INST]", "[/INST]"), metaspace=True, system=False
    ),
    "Gemma": Family(
        GEMMA, "<eos>", "<end_of_turn>", bos="<bos>", pad="<pad>", special=("<start_of_turn>", "<end_of_turn>"),
        system=False,
    ),
    "Phi 3": Family(
        PHI3, "<|endoftext|>", "<|end|>", pad="<|endoftext|>",
        special=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<unk>"),
    ),
    "Zephyr": Family(ZEPHYR, "</s>", "</s>", bos="<s>", pad="</s>", special=("<unk>",), metaspace=True),
    "DeepSeek": Family(
        DEEPSEEK, "<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>", bos="<｜begin▁of▁sentence｜>",
        pad="<｜▁pad▁｜>", special=("<｜User｜>", "<｜Assistant｜>"),
    ),
    "no system turn": Family(
        FORGETS_SYSTEM, "</s>", "</s>", special=("<unk>", "<|prompter|>", "<|assistant|>"), system=False
    ),
    "no end in the template": Family(WITHOUT_END, "</s>", "</s>", special=("<unk>",)),
    "no template": Family(None, "<|endoftext|>", "<|endoftext|>", special=("<unk>",)),
    "no template, a token first": Family(None, "<eos>", "<eos>", bos="<bos>", pad="<pad>", adds_bos=True),
}  # fmt: skip


@cache
def trained(name: str) -> str:
    """The tokenizer of a family as JSON, trained on the texts of a case."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    family = FAMILIES[name]
    named = (family.bos, family.eos, family.pad, *family.special)
    special = list(dict.fromkeys(t for t in named if t))
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>" if family.metaspace else None))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if family.metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
        alphabet = [chr(i) for i in range(32, 127)] + ["\n"]
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    text = "请诊治。主诉：失眠3月。中医诊断：不寐。处方：柴胡10g，黄芩9g。你是中医师系统问题回答案好｜▁ assistant user"
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text] * 4, trainer)
    if family.adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A", special_tokens=[(family.bos, tokenizer.token_to_id(family.bos))]
        )
    return tokenizer.to_str()


def tokenizer_of(name: str):
    """A fresh tokenizer of a family, as it comes from a model's folder."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    family = FAMILIES[name]
    named = {"bos_token": family.bos, "eos_token": family.eos, "pad_token": family.pad}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(trained(name)),
        chat_template=family.template,
        **{key: token for key, token in named.items() if token},
    )
