"""Serves the AWS APIs on 127.0.0.1.

    .venv/local/bin/python -m local.aws --port P --runner-socket SOCK --settings FILE

with `include/` on PYTHONPATH. The runner (`local.aws.runner`) must be up first. Ready when `GET /moto-api/` answers
200: the account is then bootstrapped (`local.aws.bootstrap`) and IAM is enforced. SIGTERM ends all jobs and the
server.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from local.aws.server import serve
from local.aws.settings import Settings

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--runner-socket", required=True, type=Path)
    parser.add_argument("--settings", required=True, type=Path)
    arguments = parser.parse_args()
    serve(arguments.port, arguments.runner_socket, Settings.load(arguments.settings))
