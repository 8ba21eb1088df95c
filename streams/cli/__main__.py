"""`python -m streams.cli` is `headwater`."""

from streams.cli.app import main

main()
