"""How often the kernel has killed for want of memory, as far as it lets us see. Reads; decides nothing."""

from collections.abc import Sequence

_COUNTERS = (
    # Of our own container, if it has a cgroup namespace: https://docs.kernel.org/admin-guide/cgroup-v2.html
    "/sys/fs/cgroup/memory.events",
    # The same in the older hierarchy: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
    "/sys/fs/cgroup/memory/memory.oom_control",
    # Of the whole kernel, which in a virtual machine of our own is ours too.
    "/proc/vmstat",
)
_NAME = "oom_kill"


def memory_kills(counters: Sequence[str] = _COUNTERS) -> int | None:
    """Processes killed so far, by the first of these files that counts them; None if none does."""
    for path in counters:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    name, _, number = line.partition(" ")
                    if name == _NAME:
                        return int(number)
        except (OSError, ValueError):
            continue
    return None
