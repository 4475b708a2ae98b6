"""Helpers of the study "how far do a few TCM case records take a language model, by SFT and then RLAIF?"."""

__version__ = "0.1.0"
