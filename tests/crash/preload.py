"""What a worker needs, imported once in the server that workers are forked from. Nothing here opens a connection."""

import boto3  # noqa: F401
import confluent_kafka.admin  # noqa: F401
import psycopg2  # noqa: F401
import snowflake.connector  # noqa: F401
import tests.crash.refresh_worker
import tests.crash.worker  # noqa: F401
