"""The Airflow skin of testenv, and the entry point of an environment's own orchestrator. Importing it loads nothing."""
