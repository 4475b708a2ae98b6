"""Models: the tiny base built here, any other causal LM, and adapters on top; one way to load them all."""

import hashlib
import inspect
import json
import os
import re
import shutil
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tcm_rlaif import corpus, prompts
from tcm_rlaif.params import ROOT
from tcm_rlaif.schema import Params

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# The chat layout of the Qwen family (ChatML), written out for the tiny tokenizer.
CHATML = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CORPUS_SAMPLE = 30_000  # statements that the tokenizer is trained on: every table row is seen several times


def compute_dtype(P: Params):
    """The type to compute in: what `base_dtype` says, or for `auto` bfloat16 where the processor has it built in.

    Returns:
        A torch dtype.

    Source:
        Measured: on a CPU with avx512_bf16 the tiny model trains about twice as fast under bfloat16 autocast; without
        such instructions bfloat16 is emulated and slower.
    """
    import torch

    if P.base_dtype != "auto":
        return getattr(torch, P.base_dtype)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else torch.float32


def tiny_hash(P: Params) -> str:
    """Hash of all that the tiny base depends on: its keys, the corpus as written now, and this recipe."""
    from tcm_rlaif import train

    keys = {k: v for k, v in P.model_dump(mode="json").items() if k.startswith("base_")}
    sample = "\n".join(islice(corpus.statements(P.base_seed, P.base_patterns), 3000))
    recipe = [
        CHATML,
        prompts.FIXED_WORDING,
        *map(inspect.getsource, (train_tokenizer, new_tiny, train.pretrain_trainer)),
    ]
    return hashlib.sha256(json.dumps([keys, sample, recipe], sort_keys=True).encode()).hexdigest()[:16]


def tiny_folder(P: Params) -> Path:
    """Where the tiny base with these parameters is kept, for every study that wants the same."""
    return ROOT / "runs" / "cache" / f"tiny-{tiny_hash(P)}"


def train_tokenizer(P: Params) -> "PreTrainedTokenizerBase":
    """Byte-level BPE on the corpus, with the ChatML template; ends of turns are `<|im_end|>`, padding is another token.

    Source:
        Layout of the Qwen tokenizers; a dose such as 12g is one word (our choice: doses are few, texts get short).
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    words = "|".join(prompts.LAYOUT_WORDS)
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
    """Save model and tokenizer so that the folder exists only when it is complete."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, folder)


def load_base(source: str, P: Params) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Load a causal LM and its tokenizer.

    Args:
        source: a folder, a hub id, or a .gguf file (which is dequantised: LoRA trains on plain weights).
        P: for the dtype. The tiny model keeps float32 weights (autocast computes in `compute_dtype`), others are
            loaded in `compute_dtype`.

    Returns:
        The model on its device, in evaluation mode; the tokenizer, padding on the left for generation.

    Raises:
        FileNotFoundError: for a .gguf file that is not there.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    kwargs: dict = {"dtype": torch.float32 if P.base_model == "tiny" else compute_dtype(P)}
    name = source
    if source.endswith(".gguf"):
        file = ROOT / source
        if not file.is_file():
            raise FileNotFoundError(f"base_model: {file}: no such file")
        name = str(file.parent)
        kwargs |= {"gguf_file": file.name, "quantization_config": GgufConfig(dequantize=True)}
    elif (ROOT / source).is_dir():
        name = str(ROOT / source)
    tokenizer = AutoTokenizer.from_pretrained(
        name, **({"gguf_file": kwargs["gguf_file"]} if "gguf_file" in kwargs else {})
    )
    model = AutoModelForCausalLM.from_pretrained(name, **kwargs)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        # padding with the end token would hide the end from the loss and the model would never learn to stop
        spare = [
            t for t in ("<|endoftext|>", "<unk>", "<pad>") if t in tokenizer.get_vocab() and t != tokenizer.eos_token
        ]
        if not spare:
            raise ValueError(
                f"base_model: {source}: the tokenizer has no padding token other than its end token; add one"
            )
        tokenizer.pad_token = spare[0]
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def load_policy(source: str, adapter: Path | None, P: Params, trainable: bool = False):
    """A base model with an adapter on it, or the bare base where there is none.

    Args:
        source: the base, as for `load_base`.
        adapter: folder that an earlier stage saved.
        trainable: whether training goes on with this adapter.

    Returns:
        The model in evaluation mode and the tokenizer.
    """
    model, tokenizer = load_base(source, P)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable).eval()
    return model, tokenizer
