"""Logged models, which no store keeps yet."""

from typing import Any

from tracklane_server.service.backend import Backend


def search_logged_models(backend: Backend, experiment_ids: list[str]) -> dict[str, Any]:
    """Spec: searchLoggedModels"""
    return {"models": []}


HANDLERS = {"searchLoggedModels": search_logged_models}
