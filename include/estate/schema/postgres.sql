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

-- The incremental extracts read by updated_at.
CREATE INDEX IF NOT EXISTS customers_updated_at ON customers (updated_at);
CREATE INDEX IF NOT EXISTS merchants_updated_at ON merchants (updated_at);
CREATE INDEX IF NOT EXISTS accounts_updated_at ON accounts (updated_at);
CREATE INDEX IF NOT EXISTS cards_updated_at ON cards (updated_at);
CREATE INDEX IF NOT EXISTS payments_updated_at ON payments (updated_at);
