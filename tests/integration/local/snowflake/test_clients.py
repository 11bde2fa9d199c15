"""The clients of the project, unmodified: Airflow's SnowflakeHook and dbt-snowflake."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.local.snowflake.support import ROOT, KeyPair, Server, Sql, User

PROJECT = {
    "dbt_project.yml": """
name: shop
version: "1.0"
profile: shop
seeds: {shop: {+column_types: {amount: "number(18,2)"}}}
""",
    "profiles.yml": """
shop:
  target: env
  outputs:
    env:
      type: snowflake
      account: local
      host: localhost
      port: "{{ env_var('SF_PORT') | as_number }}"
      user: "{{ env_var('SF_USER') }}"
      private_key: "{{ env_var('SF_KEY') }}"
      role: "{{ env_var('SF_ROLE') }}"
      database: "{{ env_var('SF_DATABASE') }}"
      warehouse: "{{ env_var('SF_WAREHOUSE') }}"
      schema: MART
      threads: 4
      query_tag: from dbt
""",
    "seeds/payments.csv": "id,account,amount,at\n1,a,10.50,2024-02-28\n2,b,-3.25,2024-02-29\n3,a,7.00,2024-03-01\n",
    "models/stg_payments.sql": """
{{ config(materialized='view') }}
select id, upper(account) as account, amount, at::date as paid_on from {{ ref('payments') }}
""",
    "models/daily.sql": """
{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', grants={'select': ['SYSADMIN']}) }}
select id, account, amount, paid_on from {{ ref('stg_payments') }}
{% if is_incremental() %} where paid_on >= (select max(paid_on) from {{ this }}) {% endif %}
""",
    "models/totals.sql": """
{{ config(materialized='table', contract={'enforced': true}, persist_docs={'relation': true, 'columns': true}) }}
select account, sum(amount) as total, count(*) as payments from {{ ref('daily') }} group by account
""",
    "models/models.yml": """
models:
  - name: stg_payments
    columns: [{name: id, data_tests: [unique, not_null]}]
  - name: totals
    description: What each account's payments sum to
    columns:
      - {name: account, data_type: varchar, constraints: [{type: not_null}], description: "the account's id"}
      - {name: total, data_type: "number(38,2)"}
      - {name: payments, data_type: "number(38,0)"}
unit_tests:
  - name: accounts_are_upper_case
    model: stg_payments
    given: [{input: ref('payments'), rows: [{id: 1, account: x, amount: 1, at: '2024-01-01'}]}]
    expect: {rows: [{id: 1, account: X}]}
""",
    "snapshots/accounts.sql": """
{% snapshot accounts %}
{{ config(target_schema='SNAPSHOTS', unique_key='account', strategy='check', check_cols=['total']) }}
select account, total from {{ ref('totals') }}
{% endsnapshot %}
""",
    "tests/no_lost_money.sql": """
select 1 from (select sum(total) as t from {{ ref('totals') }})
where t <> (select sum(amount) from {{ ref('payments') }})
""",
}


@dataclass(frozen=True)
class Dbt:
    """Runs dbt in a project of its own, as a role that owns nothing but what it creates in one database."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> dict[str, str]:
        """Run a command; the status of each node by its id."""
        command = [ROOT / ".venv/dbt/bin/dbt", "--no-use-colors", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        results = self.folder / "target/run_results.json"
        assert results.exists(), done.stdout + done.stderr
        status = {r["unique_id"]: r["status"] for r in json.loads(results.read_text())["results"]}
        assert done.returncode == 0, done.stdout[-6000:]
        return status


@pytest.fixture
def dbt(server: Server, admin: Sql, user: User, db: str, name: str, tmp_path: Path) -> Iterator[Dbt]:
    for path, text in PROJECT.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.lstrip())
    admin(f"CREATE WAREHOUSE W_{name}")
    admin(f"GRANT USAGE ON WAREHOUSE W_{name} TO ROLE {user.role}")
    admin(f"GRANT USAGE, CREATE SCHEMA ON DATABASE {db} TO ROLE {user.role}")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "REQUESTS_CA_BUNDLE": str(server.ca),
        "SF_PORT": str(server.port), "SF_USER": user.name, "SF_KEY": user.key.private_base64, "SF_ROLE": user.role,
        "SF_DATABASE": db, "SF_WAREHOUSE": f"W_{name}", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_PARTIAL_PARSE": "false",
    }  # fmt: skip
    yield Dbt(tmp_path, environment)
    admin(f"DROP WAREHOUSE W_{name}")


def test_dbt_builds_twice(dbt: Dbt, admin: Sql, user: User, db: str) -> None:
    """As Snowflake: seed, view, incremental merge, contract, snapshot, unit and data tests, grants, docs, query tag;
    then again over what is there, with a changed and a late row."""
    first = dbt("build")
    assert set(first.values()) <= {"success", "pass"} and len(first) == 9, first
    sql = user.sql
    sql(f"USE SCHEMA {db}.MART")
    assert sql("SELECT account, total::VARCHAR, payments FROM totals ORDER BY 1") == [
        ("A", "17.50", 2),
        ("B", "-3.25", 1),
    ]
    grants = sql.dicts(f"SHOW GRANTS ON TABLE {db}.MART.DAILY")
    assert {(g["privilege"], g["grantee_name"]) for g in grants} == {("OWNERSHIP", user.role), ("SELECT", "SYSADMIN")}
    assert sql.dicts("SHOW TABLES LIKE 'totals'")[0]["comment"] == "What each account's payments sum to"
    tagged = f"user_name = '{user.name}' AND query_tag = 'from dbt'"
    assert admin.value(f"SELECT count(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE {tagged}") > 0

    (dbt.folder / "seeds/payments.csv").write_text(
        PROJECT["seeds/payments.csv"].replace("3,a,7.00", "3,a,8.00") + "4,c,1.00,2024-03-02\n"
    )
    second = dbt("build")
    assert set(second.values()) <= {"success", "pass"}, second
    assert sql("SELECT account, total::VARCHAR FROM totals ORDER BY 1") == [
        ("A", "18.50"),
        ("B", "-3.25"),
        ("C", "1.00"),
    ]
    assert sql(f"SELECT account, dbt_valid_to IS NULL FROM {db}.SNAPSHOTS.accounts ORDER BY 1, 2") == [
        ("A", False), ("A", True), ("B", True), ("C", True),
    ]  # fmt: skip
    assert {g["grantee_name"] for g in sql.dicts(f"SHOW GRANTS ON TABLE {db}.MART.DAILY")} == {user.role, "SYSADMIN"}
    assert [row["name"] for row in sql.dicts(f"SHOW TABLES IN SCHEMA {db}.MART")] == ["DAILY", "PAYMENTS", "TOTALS"]


HOOK = """
import json, os, sys
from airflow.models.connection import Connection
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = Connection(**json.loads(sys.stdin.read())).get_uri()
hook = SnowflakeHook()
hook.run("CREATE TABLE t (a NUMBER, b VARCHAR); INSERT INTO t VALUES (1, 'x'), (2, NULL);", split_statements=True)
hook.insert_rows("t", [(3, "é")], target_fields=["a", "b"])
hook.run(["UPDATE t SET b = %(b)s WHERE a = %(a)s"], parameters={"a": 2, "b": "it's"})
print(json.dumps([hook.get_records("SELECT a, b FROM t ORDER BY a"), hook.get_first("SELECT CURRENT_ROLE()"),
                  hook.get_pandas_df("SELECT count(*) AS n FROM t").iloc[0, 0].item()]))
"""


def test_airflow_hook(server: Server, admin: Sql, user: User, db: str, tmp_path: Path) -> None:
    """As Snowflake: the hook logs in by ``private_key_content``; only host and port are the stand-in's."""
    admin(f"GRANT USAGE ON DATABASE {db} TO ROLE {user.role}")
    admin(f"GRANT ALL ON SCHEMA {db}.PUBLIC TO ROLE {user.role}")
    extra = {"account": "local", "database": db, "role": user.role, "host": "localhost", "port": server.port,
             "private_key_content": KeyPair(user.key.key).private_pem}  # fmt: skip
    connection: dict[str, Any] = {
        "conn_type": "snowflake", "login": user.name, "schema": "PUBLIC", "host": "localhost", "port": server.port,
        "extra": json.dumps(extra),
    }  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "REQUESTS_CA_BUNDLE": str(server.ca), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run([ROOT / ".venv/airflow/bin/python", "-c", HOOK], env=environment,
                          input=json.dumps(connection), capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    rows, role, count = json.loads(done.stdout.splitlines()[-1])
    assert (rows, role, count) == ([[1, "x"], [2, "it's"], [3, "é"]], [user.role], 3)
