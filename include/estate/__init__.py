"""The sample estate: FinSight's pipelines, as a repository under test would hold them.

Nothing here knows of test environments. What differs between production and any other place reaches the pipelines
through Airflow connections and variables, listed in `docs/architecture.md`.
"""
