"""One of several processes of a training (`launch`): loads the base on its device and trains its share of each step."""

import os
import sys
from pathlib import Path

from tcm.files import read_json, write_json
from tcm_rlaif.models import loading
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Trainer
from tcm_rlaif.training import adapters, arguments, checkpoints, economy, launch


def main(folder: Path) -> None:
    """Train what is written down in a folder; the first process writes adapter, state and result there."""
    job = read_json(folder / launch.JOB)
    launch.watch(*job["parent"])
    trainer = build(folder, job)
    trainer.add_callback(checkpoints.going_on(trainer))
    arguments.run(trainer)
    trainer.save_model(str(folder / "adapter"))  # gathers what is sharded, and writes once
    if trainer.is_world_process_zero():
        trainer.state.save_to_json(str(folder / "trainer_state.json"))
        facts = {"distributed": trainer.accelerator.distributed_type.value, "batch": trainer.args.train_batch_size}
        write_json(folder / launch.RESULT, facts)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def build(folder: Path, job: dict) -> Trainer:
    """The trainer of this process."""
    import torch
    import trl
    from datasets import load_from_disk

    kind = getattr(trl, job["trainer"])
    settings = getattr(trl, job["trainer"].replace("Trainer", "Config"))(**job["arguments"])  # joins the processes
    settings = arguments.on_one_gpu(settings)
    if settings.device.type == "cuda":
        torch.cuda.set_device(settings.device)
    P = Params.model_validate(job["params"])
    economy.of_trl()
    model, tokenizer = loading.load_policy(job["source"], folder / "start", P, trainable=True)
    validation = folder / "validation"
    before = adapters.weights(model)
    trainer = _same_rows(kind)(
        model,
        args=settings,
        train_dataset=load_from_disk(str(folder / "train")),
        eval_dataset=load_from_disk(str(validation)) if validation.exists() else None,
        processing_class=tokenizer,
    )
    return adapters.in_float32(trainer, before)


def _same_rows(kind: type[Trainer]) -> type[Trainer]:
    """A trainer that takes its rows as they are (tokens already), in the order in which one process would take them.

    Rows of like length go together in each step; transformers would group those of one process alone. The order is
    drawn by the first process: random generators need not agree everywhere once dropout has drawn from them.
    """
    from accelerate.utils import broadcast_object_list
    from transformers.trainer_pt_utils import LengthGroupedSampler

    class Grouped(LengthGroupedSampler):
        def __iter__(self):
            return iter(broadcast_object_list(list(super().__iter__())))

    class SameRows(kind):
        def _prepare_dataset(self, dataset, *_):
            return dataset

        def _get_train_sampler(self, train_dataset=None):
            if self.args.train_sampling_strategy != "group_by_length":
                return super()._get_train_sampler(train_dataset)
            step = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.accelerator.num_processes
            return Grouped(step, dataset=self.train_dataset if train_dataset is None else train_dataset)

    return SameRows


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(Path(sys.argv[1]))
    # Everything is written. At the usual end of the interpreter PyTorch can wait for ever: the destructor of a gloo
    # group holds the interpreter's lock and joins a thread that waits for that lock.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
