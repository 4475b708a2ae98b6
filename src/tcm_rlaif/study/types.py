"""Types for annotations whose libraries start slowly (torch alone takes seconds): nothing is imported at run time."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure
    import pandas
    import peft
    import torch
    import transformers
    import trl

Axes: TypeAlias = "matplotlib.axes.Axes"
Figure: TypeAlias = "matplotlib.figure.Figure"
DataFrame: TypeAlias = "pandas.DataFrame"
Series: TypeAlias = "pandas.Series"
Tensor: TypeAlias = "torch.Tensor"
Module: TypeAlias = "torch.nn.Module"
DynamicCache: TypeAlias = "transformers.DynamicCache"
Tokenizer: TypeAlias = "transformers.PreTrainedTokenizerBase"
Model: TypeAlias = "transformers.PreTrainedModel | peft.PeftModel"
PeftModel: TypeAlias = "peft.PeftModel"
Trainer: TypeAlias = "transformers.Trainer"
TrainerCallback: TypeAlias = "transformers.TrainerCallback"
SFTTrainer: TypeAlias = "trl.SFTTrainer"
DPOTrainer: TypeAlias = "trl.DPOTrainer"
