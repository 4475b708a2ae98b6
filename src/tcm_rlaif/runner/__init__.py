"""Running a study: the command line, Snakemake under one lock, one notebook, its kernel."""
