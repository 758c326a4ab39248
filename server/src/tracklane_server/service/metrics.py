"""Histories of metrics: whole, of many runs at once, and sampled for a plot."""

from tracklane_server.contract import LIMITS
from tracklane_server.contract.codec import encode_metrics
from tracklane_server.contract.entities import Metric
from tracklane_server.contract.errors import InvalidParameterValue
from tracklane_server.search.paging import decode_token, encode_token, fingerprint
from tracklane_server.service.backend import Backend, Handlers, Reply


def get_metric_history(
    backend: Backend, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
) -> Reply:
    """Spec: getMetricHistory"""
    query = fingerprint("history", run_id, metric_key)
    page = backend.store.get_metric_history(run_id, metric_key, max_results, decode_token(page_token, query))
    return {"metrics": encode_metrics(page.items), "next_page_token": encode_token(page.next, query)}


def get_metric_history_bulk(backend: Backend, run_id: list[str], metric_key: str, max_results: int) -> Reply:
    """Spec: getMetricHistoryBulk"""
    room = min(max_results, LIMITS["HISTORY_BULK_ROWS"])
    points: list[Reply] = []
    for each in sorted(set(run_id)):
        page = backend.store.get_metric_history(each, metric_key, room - len(points))
        points += _of_run(each, page.items)
        if len(points) >= room:
            break
    return {"metrics": points}


def get_metric_history_bulk_interval(
    backend: Backend,
    run_ids: list[str],
    metric_key: str,
    max_results: int,
    start_step: int | None = None,
    end_step: int | None = None,
) -> Reply:
    """Spec: getMetricHistoryBulkInterval"""
    if (start_step is None) != (end_step is None):
        raise InvalidParameterValue("Give both start_step and end_step, or neither")
    if start_step is not None and end_step is not None and start_step > end_step:
        raise InvalidParameterValue(f"Invalid start_step {start_step}: it must not be above end_step {end_step}")
    points: list[Reply] = []
    for each in sorted(set(run_ids)):
        sampled = backend.store.sample_metric_history(each, metric_key, max_results, start_step, end_step)
        points += _of_run(each, sampled)
    return {"metrics": points}


def _of_run(run_id: str, points: list[Metric]) -> list[Reply]:
    wire = encode_metrics(points)
    for point in wire:
        point["run_id"] = run_id
    return wire


HANDLERS: Handlers = {
    "getMetricHistory": get_metric_history,
    "getMetricHistoryBulk": get_metric_history_bulk,
    "getMetricHistoryBulkInterval": get_metric_history_bulk_interval,
}
