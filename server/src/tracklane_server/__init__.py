"""Tracklane's core: the contract, the stores and the service; `tracklane_server.http` adds the web server."""
