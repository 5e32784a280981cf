# What a base of one's own has at the least: account, folder and variables of GitHub's runner image, the stand-in runner as run.sh.
# No Python, and a home that others than its owner cannot pass.
# https://github.com/actions/runner/blob/main/images/Dockerfile
ARG BASE
FROM ${BASE}
RUN useradd --uid 1001 --create-home --shell /bin/bash --comment "" runner \
 && groupadd --gid 123 docker \
 && usermod --append --groups sudo,docker runner \
 && echo "%sudo ALL=(ALL:ALL) NOPASSWD:ALL" > /etc/sudoers \
 && chmod 0750 /home/runner
COPY --chown=runner:runner emulator /home/runner/emulator
# The work of a job goes where the real runner has it.
RUN printf '%s\n' '#!/bin/bash' 'export TMPDIR=/home/runner/_work' \
      'exec python3 -c "import sys; sys.path.insert(0, sys.argv.pop(1)); from emulator.runner.front import main; sys.exit(main(sys.argv[1:]))" /home/runner "$@"' \
      > /home/runner/run.sh \
 && chown runner:runner /home/runner/run.sh && chmod 0755 /home/runner/run.sh
ENV RUNNER_MANUALLY_TRAP_SIG=1 ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT=1 ImageOS=ubuntu24
WORKDIR /home/runner
USER runner
