"""`python -m testenv_airflow.orchestrator`."""

import sys

from testenv_airflow.orchestrator import main

if __name__ == "__main__":
    sys.exit(main())
