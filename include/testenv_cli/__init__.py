"""`bin/testenv`: a thin client of the management Airflow's REST API. It imports neither Airflow nor the engine."""
