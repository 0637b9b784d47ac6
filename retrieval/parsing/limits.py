"""What one process that parses may take. Files come from strangers: some are made to unfold without end."""

import resource
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory` is MiB of address space, of which the parsers themselves take some 100; `seconds` is processor time for
    one document, of which the longest manuals take some ten."""

    memory: int = 1024
    seconds: int = 30

    @property
    def out_of_memory(self) -> str:
        return f"needs more than {self.memory:,} MiB of memory to read: split it"

    @property
    def out_of_time(self) -> str:
        return f"takes more than {self.seconds} s of processor time to read: split it"

    def confine(self) -> None:
        """For the process that calls it, for good: so much memory, no file written, no core dumped."""
        resource.setrlimit(resource.RLIMIT_AS, (self.memory * 2**20, self.memory * 2**20))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def begin(self) -> None:
        """The seconds count from now; the kernel ends a process that has used them up (SIGXCPU)."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + self.seconds, hard))
