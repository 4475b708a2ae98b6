"""Models: loading any causal LM, the tiny base, the prompts, sampling, log-probabilities of answers."""
