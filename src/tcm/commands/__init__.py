"""Commands that need no model: each module has `add_arguments(parser)` and `main(arguments)`."""
