"""The subcommands of `python -m hsa`, one per file."""
