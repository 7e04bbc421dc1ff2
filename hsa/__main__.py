"""`python -m hsa …`: every number that the pages show, from the command line.

A subcommand's module is imported only when it is used, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from hsa import __version__
from hsa.errors import HSAError

SUMMARY = "Hierarchical Splat Attention: the numbers that the pages show, from the command line."

# name: (module with add(subparsers) and run(args) -> exit status, one line of help)
COMMANDS = {
    "prepare": ("hsa.commands.prepare", "fetch, verify and convert the embedded models"),
    "fit": ("hsa.commands.fit", "fit the splat fields of a model on texts"),
    "calibrate": ("hsa.commands.calibrate", "measure anew what reads buy inside the model"),
    "adapt": ("hsa.commands.adapt", "adapt a field to texts, with a log to replay"),
    "replay": ("hsa.commands.replay", "read an adaptation's log, and verify it"),
    "quantise": ("hsa.commands.quantise", "store a field in eight bits, and what that costs"),
    "fidelity": ("hsa.commands.fidelity", "compare HSA with exact attention on a text"),
    "inside": ("hsa.commands.inside", "every head's error as the model runs HSA"),
    "specialise": ("hsa.commands.specialise", "which functions splats serve, and how surely"),
    "health": ("hsa.commands.health", "what stands out badly in splats"),
    "agreement": ("hsa.commands.agreement", "agreement without the splats of a function"),
    "explain": ("hsa.commands.explain", "check the explanations against the engine"),
    "portrait": ("hsa.commands.portrait", "what a splat stands for in a text, and what it does"),
    "levels": ("hsa.commands.levels", "what heads lose with levels switched off"),
    "flow": ("hsa.commands.flow", "attention flow over layers, from one position"),
    "bundle": ("hsa.commands.bundle", "put a view and its numbers into one file"),
    "verify": ("hsa.commands.verify", "work a bundle's numbers out again"),
    "perplexity": ("hsa.commands.perplexity", "the model's loss under HSA, beside its controls"),
    "retrieval": ("hsa.commands.retrieval", "needles found outside of the window"),
    "layers": ("hsa.commands.layers", "which layers and heads the next token depends on"),
    "generate": ("hsa.commands.generate", "continue a text under HSA"),
    "bench": ("hsa.commands.bench", "measure waits and the speed of attention on this machine"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; 2 when it refuses, with one line on standard error."""
    # Before torch is imported: OpenMP threads that spin while idle slow everything by far when
    # anything else runs on the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in given if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(prog="python -m hsa", description=SUMMARY)
    parser.add_argument("--version", action="version", version=f"hsa-explorer {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, help_line) in COMMANDS.items():
        if name == chosen:
            import_module(module).add(subparsers)
        else:
            subparsers.add_parser(name, help=help_line, add_help=False)
    parsed = parser.parse_args(given)
    try:
        return import_module(COMMANDS[parsed.command][0]).run(parsed)
    except HSAError as refusal:
        sys.stderr.write(f"hsa {parsed.command}: {' '.join(str(refusal).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
