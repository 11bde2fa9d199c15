"""The embedded stack's AWS: moto, made to enforce IAM and to really run what is started.

This file imports nothing: `local.aws.runner` runs in the Airflow environment, where moto is not installed, and the
rest in the environment of the local services.
"""
