# syntax=docker/dockerfile:1
# Two images of one file. `testenv`, the default, is what runs on AWS: the management Airflow (`airflow scheduler`, …) and, as
# an ECS task, an environment's orchestrator (`python -m testenv_airflow.orchestrator`). `stack` adds the embedded stack's
# programs for docker-compose.yaml: Java, Spark, PostgreSQL, PgBouncer, Kafka and the stand-ins. The versions are those of
# include/local/settings.toml and the Makefile; tests/unit/local/test_docker.py compares them.

FROM python:3.11-slim-bookworm AS base
ARG UV_VERSION=0.13.9
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==${UV_VERSION} \
    && useradd --create-home --uid 50000 testenv \
    && install -d -o testenv -g testenv /opt/testenv /stack
WORKDIR /opt/testenv
USER testenv
COPY --chown=testenv requirements.txt requirements.txt
COPY --chown=testenv requirements/ requirements/
RUN --mount=type=cache,target=/home/testenv/.cache/uv,uid=50000 \
    uv venv .venv/airflow && uv pip sync --compile-bytecode --python .venv/airflow/bin/python requirements.txt \
    && uv venv .venv/dbt && uv pip sync --compile-bytecode --python .venv/dbt/bin/python requirements/dbt.txt

FROM base AS stack
USER root
# Java 17 runs Kafka and Spark; Maven brings their jars, and the JDK compiles what is ours of Spark's.
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jdk-headless maven pgbouncer \
    && rm -rf /var/lib/apt/lists/*
USER testenv
RUN --mount=type=cache,target=/home/testenv/.cache/uv,uid=50000 \
    uv venv .venv/spark && uv pip sync --compile-bytecode --python .venv/spark/bin/python requirements/spark.txt \
    && uv venv .venv/local && uv pip sync --compile-bytecode --python .venv/local/bin/python requirements/local.txt
COPY --chown=testenv include/ include/
RUN --mount=type=cache,target=/home/testenv/.m2,uid=50000 PYTHONPATH=include .venv/local/bin/python -m local.jars
COPY --chown=testenv dags/ dags/
COPY --chown=testenv plugins/ plugins/
ENV TESTENV_HOME=/stack PYTHONPATH=/opt/testenv/include
VOLUME /stack
ENTRYPOINT ["/opt/testenv/.venv/local/bin/python", "-m", "local.container"]

FROM base AS testenv
COPY --chown=testenv include/ include/
COPY --chown=testenv dags/ dags/
COPY --chown=testenv plugins/ plugins/
ENV PATH=/opt/testenv/.venv/airflow/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/testenv/include:/opt/testenv/plugins \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/testenv/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/testenv/plugins \
    TESTENV_DBT=/opt/testenv/.venv/dbt/bin/dbt
CMD ["airflow", "scheduler"]
