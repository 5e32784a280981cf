"""The stand-in runner: the real one's command line, lines, signals, exit codes and protocol, without .NET.

    front     run.sh and run-helper.sh: restarts, flattens exit codes, turns SIGTERM into SIGINT
    listener  Runner.Listener: session, message polls, lock renewal, one worker per job
    worker    Runner.Worker: the steps of one job

Standard library only, and few modules of it: sixty of these start at once in a demo. Everything else in
`emulator` may be imported only from `emulator.workflow`, and there only what needs no YAML reader.
"""
