"""What one process that parses may take. Files come from strangers: some are made to unfold without end."""

import resource
from typing import Final

MEMORY: Final = 2**30  # bytes of address space; the parsers themselves take some 300 MB of it
SECONDS: Final = 30  # of processor time for one document: the longest manuals take some ten


def confine() -> None:
    """For the process that calls it, for good: so much memory, no file written, no core dumped."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow() -> None:
    """Another `SECONDS` of processor time from now; whoever uses them up is ended by the kernel (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + SECONDS, hard))
