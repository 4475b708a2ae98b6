"""Is training sound on this device, with this model? What the study rests on, step by step, in a few minutes.

    python tests/benchmarks/check_device.py --model FOLDER_OR_GGUF [--steps 20] [--set KEY=VALUE ...] [--json FILE]

In order, each with what it must be: prompts padded on the left say what each says alone; SFT's loss and gradient are
numbers at every step, its first loss is that of plain (`eager`) attention, and it falls; the saved adapter read back
says what the trained one says; DPO begins at ln 2 and trains. On a GPU also the bytes that a token keeps for the
backward pass, beside what `training.economy.activations` reckons with. `--set base_quantization=4bit` checks QLoRA.
Ends with exit code 1 where something is not as it must be.
"""

import argparse
import gc
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tcm import invented
from tcm.files import write_json
from tcm_rlaif.models import loading, prompts
from tcm_rlaif.models.sampling import prompt_ids
from tcm_rlaif.study import params
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import adapters, arguments, dpo, economy, proofs, sft

CLOSE = 0.05  # nats of a mean loss; two kernels in bfloat16 differ by about a hundredth
PADDED = 0.3  # nats of one token: a logit of 16 to 32 in bfloat16 has steps of 0.125; a wrong mask moves it by more


def padded(model, tokenizer, cases) -> float:
    """Largest difference of the next token's log-probability (the likeliest one) between a padded batch and alone."""
    import torch

    rows = prompt_ids(tokenizer, cases)
    batch = tokenizer.pad({"input_ids": rows}, return_tensors="pt", padding_side="left").to(model.device)
    position = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)  # as `decoding.decode`
    worst = 0.0
    with torch.inference_mode():
        together = model(**batch, position_ids=position, logits_to_keep=1).logits[:, -1].float().log_softmax(-1)
        for ids, beside in zip(rows, together, strict=True):
            alone = model(input_ids=torch.tensor([ids], device=model.device), logits_to_keep=1).logits[0, -1].float()
            alone = alone.log_softmax(-1)
            likeliest = int(alone.argmax())
            difference = float((alone[likeliest] - beside[likeliest]).abs())
            worst = max(worst, difference if math.isfinite(difference) else math.inf)
    return worst


def trainer(P: Params, cases, folder: Path):
    """An SFT trainer on a freshly loaded model."""
    base, tokenizer = loading.load_base(P.base_model, P)
    return sft.sft_trainer(base, tokenizer, sft.sft_rows(cases), None, P, seed=0, folder=folder)


def checked(P: Params, steps: int) -> dict[str, Any]:
    """Every check, name -> value; `stopped`, where a training ended at a value that is no number, says which."""
    found: dict[str, Any] = {"device": _device(), "model": Path(P.base_model).name, "steps": steps}
    try:
        _check(P, steps, found)
    except FloatingPointError as error:
        found["stopped"] = str(error)
    return found


def _check(P: Params, steps: int, found: dict[str, Any]) -> None:
    import torch

    cases = invented.invent_cases(steps * P.sft_batch_size * P.sft_accumulation, P.data_follow_up_share, 1, 12)
    with tempfile.TemporaryDirectory() as place:
        eager = trainer(P.model_copy(update={"base_attention": "eager"}), cases, Path(place) / "eager")
        batch = eager.data_collator([eager.train_dataset[number] for number in range(P.sft_batch_size)])
        found["first loss, eager"] = _loss(eager, batch)
        del eager
        gc.collect()
        made = trainer(P, cases, Path(place) / "sft")
        found["prompts padded on the left"] = padded(made.model.eval(), made.processing_class, cases[:4])
        found["first loss"] = _loss(made, batch)
        if torch.cuda.is_available():
            found |= _kept(made, batch)
        log = arguments.run(made)  # ends by itself at the first value that is no number
        found["loss after"] = _loss(made, batch)
        found["losses"] = [round(row["loss"], 4) for row in log if "loss" in row]
        made.model.save_pretrained(Path(place) / "adapter")
        policy, tokenizer = adapters.trained(made), made.processing_class
        back, _ = loading.load_policy(P.base_model, Path(place) / "adapter", P)
        found["saved and read back"] = proofs.largest_difference(policy, back, tokenizer, prompts.SYSTEM)
        del back
        asked = zip(cases[: 2 * P.dpo_batch_size], cases[1:], strict=False)
        pairs = [{"prompt": prompts.prompt(case), "chosen": prompts.completion(case.answer),
                  "rejected": prompts.completion(other.answer)} for case, other in asked]  # fmt: skip
        before = adapters.weights(policy)
        learner = dpo.trainer(policy, tokenizer, pairs, P, seed=0, folder=Path(place) / "dpo")
        learner = adapters.in_float32(learner, before)
        found["DPO's first margin"] = proofs.first_loss(learner)["margin"]
        found["DPO's losses"] = [round(row["loss"], 4) for row in arguments.run(learner) if "loss" in row]


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} cores"


def _loss(made, batch) -> float:
    import torch

    inputs = {name: value.to(made.model.device) for name, value in batch.items()}
    with torch.no_grad(), made.compute_loss_context_manager():
        return float(made.compute_loss(made.model.eval(), inputs))


def _kept(made, batch) -> dict[str, float]:
    """MB that a token keeps between the passes, as measured and as reckoned with."""
    import torch

    inputs = {name: value.to("cuda") for name, value in batch.items()}
    tokens = inputs["input_ids"].numel()
    before = torch.cuda.memory_allocated()
    with made.compute_loss_context_manager():
        loss = made.compute_loss(made.model.train(), inputs)
    kept = torch.cuda.memory_allocated() - before
    del loss
    return {"MB kept a token": kept / tokens / 1e6, "reckoned": economy.activations(made.model, tokens) / tokens / 1e6}


def faults(found: dict[str, Any]) -> list[str]:
    """What is not as it must be, in words."""
    said = []
    if "stopped" in found:
        return [found["stopped"]]
    if not found["prompts padded on the left"] < PADDED:
        said.append("a padded prompt says something else than alone")
    if not abs(found["first loss"] - found["first loss, eager"]) < CLOSE:
        said.append("the attention of this device gives another loss than plain attention")
    if not found["loss after"] < found["first loss"]:
        said.append("SFT's loss did not fall")
    if not found["saved and read back"] < 1e-3:
        said.append("the adapter that was read back says something else")
    if not abs(found["DPO's first margin"]) < 1e-3:
        said.append("DPO's policy does not begin as its reference")
    return said


def main() -> None:
    """Check, print each value, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="hub id, folder or .gguf file")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other parameters of the study")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    given = {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in args.set)}
    how = {"base_model": args.model, "sft_epochs": 1, "sft_batch_size": 2, "sft_learning_rate": 2.0e-4,
           "sft_max_length": 2048, "dpo_batch_size": 2, "dpo_epochs": 1}  # fmt: skip
    found = checked(params.validated({**how, **given}, "--set"), args.steps)
    for name, value in found.items():
        print(f"{name}: {value}")
    if args.json:
        write_json(args.json, found)
    wrong = faults(found)
    print("; ".join(wrong) or "all as it must be")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
