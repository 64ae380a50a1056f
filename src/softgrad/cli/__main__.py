"""`python -m softgrad.cli`, the same as the command `softgrad`."""

from softgrad.cli import main

main()
