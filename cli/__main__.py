"""`python -m litrag.cli` is `litrag`."""

from litrag.cli.app import main

main()
