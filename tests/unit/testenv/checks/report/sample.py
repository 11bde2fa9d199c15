"""A report with something of everything."""

from __future__ import annotations

from datetime import UTC, datetime

from testenv.checks.protocol import Finding, Measured, Severity, Verdict, Where, Witness
from testenv.checks.report import Affected, Choice, Report, Side, Stage, answer, judged_runs
from testenv.checks.trial.record import Run

BASE, HEAD = "1f3870be274f6c49b3e31a0c6728957f8d1e1e3a", "9c56cc51b374c3ba189210d5b6d4bf57790d351c"


def finding(
    rule: str,
    severity: Severity = Severity.BREAKING,
    what: str = "it is wrong",
    *,
    remedy: str = "Mend it",
    **where: object,
) -> Finding:
    witness = where.pop("witness", None)
    return Finding(
        rule=rule,
        severity=severity,
        what=what,
        where=Where.model_validate(where),
        remedy=remedy,
        witness=Witness.model_validate(witness) if witness else None,
    )


DROPPED = finding(
    "column-dropped",
    what="the column CURRENCY is gone, and base's queries that name it fail",
    remedy="Keep the column until its readers have moved",
    dataset="snowflake.RAW.PAYMENTS",
    file="include/catalog/contracts/snowflake.RAW.PAYMENTS.yaml",
    column="CURRENCY",
    witness={
        "kind": "query",
        "content": "SELECT CURRENCY FROM RAW.PAYMENTS",
        "proved": True,
        "how": "SQLite answers: no such column: CURRENCY",
    },
)
DOUBLED = finding(
    "rows-added-by-rerun",
    what="running 2026-01-02 again added 3 rows; the first task that did is load",
    remedy="Merge by the key, or replace the interval",
    dataset="snowflake.RAW.SETTLEMENTS",
    pipeline="settlements_to_snowflake",
    task="load",
    rows=(
        {"SETTLEMENT_ID": 900001, "AMOUNT": "12.50", "VALUE_DATE": "2026-01-02"},
        {"SETTLEMENT_ID": 900002, "AMOUNT": None, "VALUE_DATE": "2026-01-02"},
    ),
)
CHANGED = finding(
    "rows-changed",
    Severity.WARNING,
    "2 of 48 rows differ in AMOUNT_EUR, within the tolerance of the contract",
    dataset="snowflake.MARTS.FCT_PAYMENTS",
    witness={
        "kind": "row",
        "content": [
            {"PAYMENT_ID": 1, "base": 10.001, "head": 10.002},
            {"PAYMENT_ID": 2, "base": 3.5, "head": 3.499},
        ],
        "proved": True,
        "how": "read from both states",
    },
)


def verdicts(*, wrong: bool = True) -> tuple[Verdict, ...]:
    found = [DROPPED, DOUBLED] if wrong else []
    made = (
        judged_runs(runs()),
        Verdict.of("schema", found[:1], ["contract snowflake.RAW.PAYMENTS", "contract snowflake.RAW.CARDS"]),
        Verdict.of(
            "idempotency", found[1:], ["settlements_to_snowflake for 2026-01-02"], ["Snowflake by the local server"]
        ),
        Verdict.of("diff", [CHANGED], ["snowflake:MARTS.FCT_PAYMENTS", "snowflake:RAW.SETTLEMENTS"]),
        Verdict.of("streaming", [], []),
    )
    took = Measured(seconds=3.21, cpu_seconds=2.5, dollars=0.0027)
    return tuple(each if each.check == "trial" else each.model_copy(update={"measured": took}) for each in made)


def runs(env: str = "ci-v12345678") -> tuple[Run, ...]:
    return tuple(
        Run(
            pipeline="settlements_to_snowflake",
            logical_date=f"2026-01-0{day}T00:00:00Z",
            side=side,
            moment=side,
            state="success",
            seconds=4.2,
            cpu_seconds=9.1,
            log=f"artifacts/{env}/trial/{side}-{day}.txt",
        )
        for side in ("base", "head")
        for day in (1, 2)
    )


def report(*, wrong: bool = True, env_id: str = "ci-v12345678", **changes: object) -> Report:
    made = verdicts(wrong=wrong)
    values: dict[str, object] = {
        "env_id": env_id,
        "base": Side(asked="main", commit=BASE),
        "head": Side(asked="fix/settlements", commit=HEAD),
        "dataset": "seed-1a2b3c4d",
        "answer": answer(made),
        "verdicts": made,
        "choice": Choice(
            changes=("include/estate/spark/settlements.py", "README.md"),
            harmless=(("README.md", "it is for people alone"),),
            selected=(
                Affected(
                    name="settlements_to_snowflake",
                    chain=("include/estate/spark/settlements.py", "settlements_to_snowflake"),
                ),
            ),
            excluded=("customers_hourly", "loans_daily"),
        ),
        "intervals": {"settlements_to_snowflake": ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")},
        "runs": runs(env_id),
        "stages": (
            Stage(name="select", seconds=4.0, cpu_seconds=3.8),
            Stage(name="provision", seconds=21.5),
            Stage(name="trial", seconds=96.0, cpu_seconds=72.8, dollars=0.0931),
            Stage(name="checks", seconds=12.8, cpu_seconds=10.0, dollars=0.0108),
        ),
        "emulated": ("Snowflake by the local server",),
        "made_at": datetime(2026, 1, 3, 12, tzinfo=UTC),
    }
    return Report.model_validate(values | changes)
