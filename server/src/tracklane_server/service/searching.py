"""From a search request to a store's `Search` and back to a page token; the same for every kind of search."""

from collections.abc import Callable
from typing import TypeVar

from tracklane_server.contract.entities import ACTIVE, DELETED
from tracklane_server.search.ast import Filter, OrderTerm
from tracklane_server.search.paging import decode_token, encode_token, fingerprint
from tracklane_server.service.backend import Reply
from tracklane_server.store import Page, Search

T = TypeVar("T")

STAGES = {
    "ACTIVE_ONLY": frozenset([ACTIVE]),
    "DELETED_ONLY": frozenset([DELETED]),
    "ALL": frozenset([ACTIVE, DELETED]),
}


def paged(
    field: str,
    run_search: Callable[[Search], Page[T]],
    *,
    scope: object,
    filter: Filter | None,
    order: tuple[OrderTerm, ...],
    view: str,
    max_results: int,
    page_token: str | None,
) -> Reply:
    """One page as `{field: items, "next_page_token": …}`; `scope` is what else a token must agree with."""
    query = fingerprint(field, scope, filter, order, view)
    page = run_search(Search(filter, order, STAGES[view], max_results, decode_token(page_token, query)))
    return {field: page.items, "next_page_token": encode_token(page.next, query)}
