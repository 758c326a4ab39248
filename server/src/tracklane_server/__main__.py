"""`python -m tracklane_server`: the same as the command `tracklane`."""

from tracklane_server.cli import main

main()
