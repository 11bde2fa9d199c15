-- The operational database `finsight`. Times are instants; amounts are in the row's own currency.

CREATE TABLE IF NOT EXISTS customers (
    customer_id      BIGINT PRIMARY KEY,
    referrer_id      BIGINT REFERENCES customers (customer_id),
    full_name        TEXT NOT NULL,
    email            TEXT,
    phone            TEXT,
    birth_date       DATE,
    street           TEXT,
    city             TEXT,
    postal_code      TEXT,
    country          CHAR(2) NOT NULL,
    segment          TEXT NOT NULL CHECK (segment IN ('retail', 'premium', 'business')),
    marketing_opt_in BOOLEAN,
    notes            TEXT,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS merchants (
    merchant_id   BIGINT PRIMARY KEY,
    name          TEXT NOT NULL,
    category_code CHAR(4) NOT NULL,
    country       CHAR(2) NOT NULL,
    iban          TEXT,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS accounts (
    account_id  BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (customer_id),
    iban        TEXT NOT NULL UNIQUE,
    currency    CHAR(3) NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('current', 'savings', 'business')),
    status      TEXT NOT NULL CHECK (status IN ('open', 'frozen', 'closed')),
    balance     NUMERIC(18, 2) NOT NULL,
    opened_on   DATE NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS cards (
    card_id     BIGINT PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES accounts (account_id),
    pan         TEXT NOT NULL UNIQUE,
    holder_name TEXT NOT NULL,
    network     TEXT NOT NULL CHECK (network IN ('visa', 'mastercard')),
    status      TEXT NOT NULL CHECK (status IN ('active', 'blocked', 'expired')),
    expires_on  DATE NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS payments (
    payment_id        BIGINT PRIMARY KEY,
    account_id        BIGINT NOT NULL REFERENCES accounts (account_id),
    card_id           BIGINT REFERENCES cards (card_id),
    merchant_id       BIGINT REFERENCES merchants (merchant_id),
    amount            NUMERIC(18, 2) NOT NULL,
    currency          CHAR(3) NOT NULL,
    method            TEXT NOT NULL CHECK (method IN ('card', 'transfer', 'direct_debit')),
    status            TEXT NOT NULL CHECK (status IN ('pending', 'settled', 'failed', 'refunded')),
    counterparty_iban TEXT,
    note              TEXT,
    booked_at         TIMESTAMPTZ NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL
);

-- The application keeps manager_id an employee: a branch is opened before anybody works there.
CREATE TABLE IF NOT EXISTS branches (
    branch_id  BIGINT PRIMARY KEY,
    manager_id BIGINT,
    name       TEXT NOT NULL,
    city       TEXT NOT NULL,
    country    CHAR(2) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS employees (
    employee_id BIGINT PRIMARY KEY,
    manager_id  BIGINT REFERENCES employees (employee_id),
    branch_id   BIGINT NOT NULL REFERENCES branches (branch_id),
    full_name   TEXT NOT NULL,
    email       TEXT NOT NULL,
    phone       TEXT,
    role        TEXT NOT NULL CHECK (role IN ('manager', 'advisor', 'agent', 'analyst')),
    hired_on    DATE NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS addresses (
    address_id  BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (customer_id),
    kind        TEXT NOT NULL CHECK (kind IN ('home', 'postal', 'former')),
    street      TEXT,
    city        TEXT,
    postal_code TEXT,
    country     CHAR(2) NOT NULL,
    valid_from  DATE NOT NULL,
    valid_to    DATE,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS devices (
    device_id    BIGINT PRIMARY KEY,
    customer_id  BIGINT NOT NULL REFERENCES customers (customer_id),
    platform     TEXT NOT NULL CHECK (platform IN ('ios', 'android', 'web')),
    fingerprint  TEXT NOT NULL UNIQUE,
    details      JSONB NOT NULL,
    last_seen_at TIMESTAMPTZ,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS logins (
    login_id    BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (customer_id),
    device_id   BIGINT REFERENCES devices (device_id),
    ip_address  TEXT NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('success', 'wrong_password', 'locked')),
    user_agent  TEXT,
    occurred_at TIMESTAMPTZ NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS consents (
    consent_id  BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (customer_id),
    purpose     TEXT NOT NULL CHECK (purpose IN ('marketing', 'profiling', 'open_banking')),
    granted     BOOLEAN NOT NULL,
    scope       JSONB NOT NULL,
    given_at    TIMESTAMPTZ NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS beneficiaries (
    beneficiary_id BIGINT PRIMARY KEY,
    customer_id    BIGINT NOT NULL REFERENCES customers (customer_id),
    name           TEXT NOT NULL,
    iban           TEXT NOT NULL,
    reference      TEXT,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS standing_orders (
    standing_order_id BIGINT PRIMARY KEY,
    account_id        BIGINT NOT NULL REFERENCES accounts (account_id),
    beneficiary_id    BIGINT NOT NULL REFERENCES beneficiaries (beneficiary_id),
    amount            NUMERIC(18, 2) NOT NULL,
    currency          CHAR(3) NOT NULL,
    frequency         TEXT NOT NULL CHECK (frequency IN ('weekly', 'monthly', 'quarterly')),
    note              TEXT,
    first_on          DATE NOT NULL,
    last_on           DATE,
    created_at        TIMESTAMPTZ NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS loans (
    loan_id     BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (customer_id),
    account_id  BIGINT NOT NULL REFERENCES accounts (account_id),
    officer_id  BIGINT REFERENCES employees (employee_id),
    principal   NUMERIC(18, 2) NOT NULL,
    currency    CHAR(3) NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('active', 'repaid', 'defaulted')),
    terms       JSONB NOT NULL,
    started_on  DATE NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS loan_instalments (
    instalment_id BIGINT PRIMARY KEY,
    loan_id       BIGINT NOT NULL REFERENCES loans (loan_id),
    payment_id    BIGINT REFERENCES payments (payment_id),
    number        INTEGER NOT NULL,
    due_on        DATE NOT NULL,
    amount        NUMERIC(18, 2) NOT NULL,
    paid_on       DATE,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS kyc_documents (
    document_id BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (customer_id),
    reviewer_id BIGINT REFERENCES employees (employee_id),
    kind        TEXT NOT NULL CHECK (kind IN ('passport', 'identity_card', 'residence_permit')),
    status      TEXT NOT NULL CHECK (status IN ('accepted', 'rejected', 'pending')),
    content     JSONB NOT NULL,
    remarks     TEXT,
    expires_on  DATE NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS support_tickets (
    ticket_id   BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (customer_id),
    agent_id    BIGINT REFERENCES employees (employee_id),
    parent_id   BIGINT REFERENCES support_tickets (ticket_id),
    channel     TEXT NOT NULL CHECK (channel IN ('phone', 'mail', 'chat')),
    subject     TEXT NOT NULL,
    body        TEXT,
    status      TEXT NOT NULL CHECK (status IN ('open', 'waiting', 'closed')),
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS disputes (
    dispute_id BIGINT PRIMARY KEY,
    payment_id BIGINT NOT NULL REFERENCES payments (payment_id),
    ticket_id  BIGINT REFERENCES support_tickets (ticket_id),
    reason     TEXT NOT NULL CHECK (reason IN ('fraud', 'not_received', 'duplicate', 'other')),
    statement  TEXT,
    amount     NUMERIC(18, 2) NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS chargebacks (
    chargeback_id BIGINT PRIMARY KEY,
    dispute_id    BIGINT NOT NULL REFERENCES disputes (dispute_id),
    pan           TEXT NOT NULL,
    network       TEXT NOT NULL CHECK (network IN ('visa', 'mastercard')),
    amount        NUMERIC(18, 2) NOT NULL,
    currency      CHAR(3) NOT NULL,
    booked_on     DATE NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL
);

-- The incremental extracts read by updated_at.
CREATE INDEX IF NOT EXISTS customers_updated_at ON customers (updated_at);
CREATE INDEX IF NOT EXISTS merchants_updated_at ON merchants (updated_at);
CREATE INDEX IF NOT EXISTS accounts_updated_at ON accounts (updated_at);
CREATE INDEX IF NOT EXISTS cards_updated_at ON cards (updated_at);
CREATE INDEX IF NOT EXISTS payments_updated_at ON payments (updated_at);
CREATE INDEX IF NOT EXISTS branches_updated_at ON branches (updated_at);
CREATE INDEX IF NOT EXISTS employees_updated_at ON employees (updated_at);
CREATE INDEX IF NOT EXISTS addresses_updated_at ON addresses (updated_at);
CREATE INDEX IF NOT EXISTS devices_updated_at ON devices (updated_at);
CREATE INDEX IF NOT EXISTS logins_updated_at ON logins (updated_at);
CREATE INDEX IF NOT EXISTS consents_updated_at ON consents (updated_at);
CREATE INDEX IF NOT EXISTS beneficiaries_updated_at ON beneficiaries (updated_at);
CREATE INDEX IF NOT EXISTS standing_orders_updated_at ON standing_orders (updated_at);
CREATE INDEX IF NOT EXISTS loans_updated_at ON loans (updated_at);
CREATE INDEX IF NOT EXISTS loan_instalments_updated_at ON loan_instalments (updated_at);
CREATE INDEX IF NOT EXISTS kyc_documents_updated_at ON kyc_documents (updated_at);
CREATE INDEX IF NOT EXISTS support_tickets_updated_at ON support_tickets (updated_at);
CREATE INDEX IF NOT EXISTS disputes_updated_at ON disputes (updated_at);
CREATE INDEX IF NOT EXISTS chargebacks_updated_at ON chargebacks (updated_at);
