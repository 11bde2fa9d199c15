"""dbt without its start: a warm parent (`server`), and the executable that speaks to it (`client.py`)."""
