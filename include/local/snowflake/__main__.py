"""``python -m local.snowflake --port P --data DIR --certfile F --keyfile F --settings FILE``."""

import argparse
import warnings
from pathlib import Path

import uvicorn

from local.snowflake import app
from local.snowflake.engine import Engine
from local.snowflake.settings import Settings
from local.snowflake.storage import ObjectStore


def main() -> None:
    """Serve the account under DIR by HTTPS on the loopback address until stopped."""
    parser = argparse.ArgumentParser(prog="local.snowflake", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the account, created when missing")
    parser.add_argument("--certfile", required=True, help="PEM certificate for localhost")
    parser.add_argument("--keyfile", required=True, help="its private key")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of mode 0600, see settings.Settings")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")  # fakesnow fetches so, once a query
    settings = Settings.read(args.settings)
    engine = Engine(args.data, ObjectStore(settings))
    engine.catalog.bootstrap_admin(settings.admin_user.upper(), settings.admin_public_key)
    uvicorn.run(
        app.build(engine),
        host="127.0.0.1",
        port=args.port,
        ssl_certfile=args.certfile,
        ssl_keyfile=args.keyfile,
        log_level="warning",
        timeout_graceful_shutdown=2,  # seconds; clients keep their connections open for long
    )


if __name__ == "__main__":
    main()
