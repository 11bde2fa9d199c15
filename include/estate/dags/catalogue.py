"""The airflow DAGs of the catalog's pipelines that have no file of their own.

Where one DAG is asked for, as for a task, only that one is made.
"""

from airflow.utils.dag_parsing_context import get_parsing_context

from estate.factory import generated

globals().update(generated(get_parsing_context().dag_id))
