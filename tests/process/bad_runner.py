"""A runner that does what its arguments say, step by step; it can be as bad as a test needs.

listen            print what GitHub's runner prints when it listens
job:NAME          print "Running job" and start a process named like GitHub's worker
complete:RESULT   end that process, then print that the job has completed
forge:RESULT      print that the job has completed while the worker lives
say:TEXT          print TEXT
ignore            ignore SIGINT and SIGTERM from now on, children too
obey              on SIGTERM: end the worker, print that the job was canceled, leave with 143
daemon            start a process that has left our session and our family
sleep:SECONDS     wait
wait_for:FILE     wait until FILE exists
environment:FILE  write our environment
die               kill ourselves with SIGKILL
forever           never end
exit:CODE         end
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType


class Runner:
    """Does the steps."""

    def __init__(self, pid_file: str) -> None:
        self.pid_file = pid_file
        self.job = ""
        self.worker: subprocess.Popen[bytes] | None = None
        self.note_pid(os.getpid())

    def note_pid(self, pid: int) -> None:
        with open(self.pid_file, "a", encoding="utf-8") as file:
            file.write(f"{pid}\n")

    def say(self, text: str) -> None:
        print(text, flush=True)

    def listen(self) -> None:
        self.say("\n√ Connected to GitHub\n")
        self.say("Current runner version: '2.336.0'")
        self.say("2026-09-16 15:14:46Z: Listening for Jobs")

    def start_job(self, name: str) -> None:
        self.job = name
        self.say(f"2026-09-16 15:14:47Z: Running job: {name}")
        self.worker = subprocess.Popen([sys.executable, "-I", "-S", __file__, self.pid_file, "Runner.Worker"])
        self.note_pid(self.worker.pid)

    def end_worker(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    def complete(self, result: str) -> None:
        self.end_worker()
        self.forge(result)

    def forge(self, result: str) -> None:
        self.say(f"2026-09-16 15:14:48Z: Job {self.job} completed with result: {result}")

    def ignore(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def obey(self) -> None:
        def cancel(_number: int, _frame: FrameType | None) -> None:
            self.complete("Canceled")
            os._exit(143)

        signal.signal(signal.SIGTERM, cancel)

    def daemon(self) -> None:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                self.note_pid(os.getpid())
                while True:
                    time.sleep(60)
            os._exit(0)
        os.wait()

    def do(self, step: str) -> None:
        name, _, argument = step.partition(":")
        deeds: dict[str, Callable[[], object]] = {
            "listen": self.listen,
            "job": lambda: self.start_job(argument),
            "complete": lambda: self.complete(argument),
            "forge": lambda: self.forge(argument),
            "say": lambda: self.say(argument),
            "ignore": self.ignore,
            "obey": self.obey,
            "daemon": self.daemon,
            "sleep": lambda: time.sleep(float(argument)),
            "wait_for": lambda: wait_for(argument),
            "environment": lambda: write_whole(argument, json.dumps(own_environment())),
            "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
            "forever": lambda: time.sleep(600),
            "exit": lambda: sys.exit(int(argument)),
        }
        deeds[name]()


def wait_for(path: str) -> None:
    """Until the file is there; the test ends us if it never comes."""
    while not os.path.exists(path):
        time.sleep(0.02)


def own_environment() -> dict[str, object]:
    """What we got."""
    return {
        "environ": dict(os.environ),
        "argv": sys.argv,
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "session": os.getsid(0) == os.getpid(),
    }


def write_whole(path: str, text: str) -> None:
    """Whole or not at all, since the test reads it as soon as it is there."""
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(f"{path}.part", path)


def main() -> None:
    """Worker or runner."""
    pid_file, *steps = sys.argv[1:]
    if steps == ["Runner.Worker"]:
        time.sleep(600)
        return
    runner = Runner(pid_file)
    for step in steps:
        runner.do(step)


if __name__ == "__main__":
    main()
