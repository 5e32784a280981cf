# What stands for the official Python image: a Python that can make a venv.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
