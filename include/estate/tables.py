"""The Postgres tables that are copied to Snowflake, and how."""

from __future__ import annotations

from dataclasses import dataclass

RAW_SCHEMA = "RAW"


@dataclass(frozen=True)
class SourceTable:
    """A table with the same columns in Postgres and, in upper case, in Snowflake's schema RAW.

    Rows are found by `updated_at`; `key` is the primary key.
    """

    name: str
    key: str
    attributes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order of the schema files."""
        return (self.key, *self.attributes, "created_at", "updated_at")


SOURCE_TABLES: tuple[SourceTable, ...] = (
    SourceTable(
        "customers",
        "customer_id",
        (
            "referrer_id",
            "full_name",
            "email",
            "phone",
            "birth_date",
            "street",
            "city",
            "postal_code",
            "country",
            "segment",
            "marketing_opt_in",
            "notes",
        ),
    ),
    SourceTable("merchants", "merchant_id", ("name", "category_code", "country", "iban")),
    SourceTable(
        "accounts", "account_id", ("customer_id", "iban", "currency", "kind", "status", "balance", "opened_on")
    ),
    SourceTable("cards", "card_id", ("account_id", "pan", "holder_name", "network", "status", "expires_on")),
    SourceTable(
        "payments",
        "payment_id",
        (
            "account_id",
            "card_id",
            "merchant_id",
            "amount",
            "currency",
            "method",
            "status",
            "counterparty_iban",
            "note",
            "booked_at",
        ),
    ),
)
"""In the order of their foreign keys: a table stands after those it refers to."""
