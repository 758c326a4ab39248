"""`python -m tracklane_server.cli`: the same as the command `tracklane`."""

from tracklane_server.cli import main

main()
