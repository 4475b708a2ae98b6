"""The tiny base: a few million parameters in the shape of the Qwen family, with a tokenizer of its own."""

import os
import re
import shutil
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tcm.invented import corpus
from tcm_rlaif.models import prompts
from tcm_rlaif.study.schema import Params

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# The chat layout of the Qwen family (ChatML), written out for the tiny tokenizer.
CHATML = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CORPUS_SAMPLE = 30_000  # statements that the tokenizer is trained on: every table row is seen several times


def train_tokenizer(P: Params) -> "PreTrainedTokenizerBase":
    """Byte-level BPE on the corpus, with the ChatML template; ends of turns are `<|im_end|>`, padding is another token.

    Source:
        Layout of the Qwen tokenizers; a dose such as 12g is one word (our choice: doses are few, texts get short).
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    words = "|".join(prompts.LAYOUT_WORDS)
    words += "|(?<=[，：])[去加]"  # out and in, in a change of a prescription
    words += "|(?<=[汤散丸饮子丹珠煎])合"  # between two formulas
    punctuation = pre_tokenizers.Split(Regex(rf"{words}|[，。：；、～（）？\n]|\d+(?:\.\d+)?g?"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([punctuation, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=P.base_vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    fixed = [line for line in prompts.FIXED_WORDING for _ in range(500)]
    markers = re.compile("|".join(map(re.escape, SPECIAL)))  # tokens of their own, never to be spelt
    sample = (markers.sub("", s) for s in islice(corpus.statements(P.base_seed, P.base_patterns), CORPUS_SAMPLE))
    tokenizer.train_from_iterator(chain(sample, fixed), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )


def new_tiny(P: Params, tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedModel":
    """A freshly initialised Qwen3 model of the tiny size, in float32."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(P.base_seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=P.base_hidden,
        intermediate_size=P.base_hidden * 11 // 4,
        num_hidden_layers=P.base_layers,
        num_attention_heads=P.base_heads,
        num_key_value_heads=P.base_heads // 2,
        head_dim=P.base_hidden // P.base_heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def save_whole(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Save model and tokenizer so that the folder exists only when it is complete, and nothing of it on a full disk."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, folder)
