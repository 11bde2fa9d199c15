"""Every operational table's generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from estate.production import credit, service, staff, tables
from estate.production.tables import Draft, Row

GENERATORS: Mapping[str, Callable[[Draft], Iterator[Row]]] = {
    "customers": tables.customers,
    "merchants": tables.merchants,
    "accounts": tables.accounts,
    "cards": tables.cards,
    "payments": tables.payments,
    "branches": staff.branches,
    "employees": staff.employees,
    "addresses": service.addresses,
    "devices": service.devices,
    "logins": service.logins,
    "consents": service.consents,
    "beneficiaries": credit.beneficiaries,
    "standing_orders": credit.standing_orders,
    "loans": credit.loans,
    "loan_instalments": credit.loan_instalments,
    "kyc_documents": service.kyc_documents,
    "support_tickets": service.support_tickets,
    "disputes": credit.disputes,
    "chargebacks": credit.chargebacks,
}
"""By table name, each after the tables it draws from."""
