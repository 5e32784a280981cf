"""What Linux says a process uses. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html"""

import os
from pathlib import Path


def resident_mib(pid: int) -> float:
    """VmRSS: every page in memory, shared ones counted in full."""
    return _kib(Path(f"/proc/{pid}/status"), "VmRSS:") / 1024


def proportional_mib(pid: int) -> float:
    """PSS: shared pages divided among those that share them."""
    return _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") / 1024


def cpu_seconds(pid: int) -> float:
    """Time that the process has computed so far, in user and in system mode, over all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kib(path: Path, key: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    raise RuntimeError(f"{path} has no line {key}")
