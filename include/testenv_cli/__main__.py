"""`python -m testenv_cli`."""

from testenv_cli.app import main

main()
