"""Evaluation: scored answers as tables, statistics, the evidence of an ablation."""
