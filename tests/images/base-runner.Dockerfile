# What stands for GitHub's runner image: it has a Python (software-properties-common needs one), and a home that everybody may write to.
ARG BASE
FROM ${BASE}
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends python3 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && chmod 0777 /home/runner
USER runner
