"""A made-up FinSight: `python -m estate.production fill` puts it into Postgres, S3, Kafka and Snowflake.

    world.py ── build(seed, scale) ──▶ World: every row, file and record, a function of its two arguments
       people.py                          who lives there
       tables.py, staff.py, service.py, credit.py
                                          the operational tables, listed in generators.py
       feeds.py                           what partners and cards send
    stores/ ── one module per system, each fill(world, settings): idempotent

No person, account or card in it exists. To add a table: its columns to `estate.tables`, its DDL to `schema/`, a
generator to `generators.py`, a contract to the catalog.
"""
