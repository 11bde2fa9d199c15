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
    SourceTable("branches", "branch_id", ("manager_id", "name", "city", "country")),
    SourceTable(
        "employees", "employee_id", ("manager_id", "branch_id", "full_name", "email", "phone", "role", "hired_on")
    ),
    SourceTable(
        "addresses",
        "address_id",
        ("customer_id", "kind", "street", "city", "postal_code", "country", "valid_from", "valid_to"),
    ),
    SourceTable("devices", "device_id", ("customer_id", "platform", "fingerprint", "details", "last_seen_at")),
    SourceTable(
        "logins", "login_id", ("customer_id", "device_id", "ip_address", "outcome", "user_agent", "occurred_at")
    ),
    SourceTable("consents", "consent_id", ("customer_id", "purpose", "granted", "scope", "given_at")),
    SourceTable("beneficiaries", "beneficiary_id", ("customer_id", "name", "iban", "reference")),
    SourceTable(
        "standing_orders",
        "standing_order_id",
        ("account_id", "beneficiary_id", "amount", "currency", "frequency", "note", "first_on", "last_on"),
    ),
    SourceTable(
        "loans",
        "loan_id",
        ("customer_id", "account_id", "officer_id", "principal", "currency", "status", "terms", "started_on"),
    ),
    SourceTable(
        "loan_instalments", "instalment_id", ("loan_id", "payment_id", "number", "due_on", "amount", "paid_on")
    ),
    SourceTable(
        "kyc_documents",
        "document_id",
        ("customer_id", "reviewer_id", "kind", "status", "content", "remarks", "expires_on"),
    ),
    SourceTable(
        "support_tickets", "ticket_id", ("customer_id", "agent_id", "parent_id", "channel", "subject", "body", "status")
    ),
    SourceTable("disputes", "dispute_id", ("payment_id", "ticket_id", "reason", "statement", "amount", "status")),
    SourceTable("chargebacks", "chargeback_id", ("dispute_id", "pan", "network", "amount", "currency", "booked_on")),
)
"""In the order of their foreign keys: a table stands after those it refers to."""

CORE_TABLES: tuple[SourceTable, ...] = SOURCE_TABLES[:5]
"""Customers to payments: what every other pipeline's tables lead to."""


def table_named(name: str) -> SourceTable:
    """The table of that name. Raises `ValueError`."""
    for table in SOURCE_TABLES:
        if table.name == name:
            return table
    raise ValueError(f"{name!r} is no table that is copied; there are {', '.join(each.name for each in SOURCE_TABLES)}")
