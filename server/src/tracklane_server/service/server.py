"""What the server says of itself; pages and the contract's text are served by `http/` alone."""

from tracklane_server.service.backend import Backend, Handlers, Reply


def get_server_info(backend: Backend) -> Reply:
    """Spec: getServerInfo"""
    return {
        "store_type": type(backend.store).__name__,
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "multipart_uploads_enabled": False,
        "multipart_downloads_enabled": False,
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "features_enabled": {"gateway": False},
    }


HANDLERS: Handlers = {"getServerInfo": get_server_info}
