"""Files of runs, and the proxy that serves the artifact store to clients without credentials of its own.

Functions that move bytes return an open file or an upload; `http/streams.py` does the moving.
"""

from tracklane_server.artifacts import ArtifactFile, ArtifactStore, ArtifactUpload
from tracklane_server.artifacts.locations import proxied_path, resolve
from tracklane_server.artifacts.path import ArtifactPath
from tracklane_server.contract.entities import FileInfo
from tracklane_server.contract.errors import InvalidParameterValue, NotImplementedByStore, no_model
from tracklane_server.service.backend import Backend, Handlers, Reply
from tracklane_server.store.rules import require_active_run

# Clients look for the beginnings of these sentences to fall back on plain PUT and GET (wire-contract 1.7).
NO_MULTIPART_UPLOAD = "Multipart upload is not supported for the current artifact repository; use PUT"
NO_MULTIPART_DOWNLOAD = "Multipart download is not supported for the current artifact repository; use GET"
NO_PRESIGNED = "Presigned URLs are not supported for the artifact store of this run; move its files through the server"


def list_artifacts(backend: Backend, run_id: str, path: str = "", page_token: str | None = None) -> Reply:
    """Spec: listArtifacts"""
    uri = backend.store.get_run_info(run_id).artifact_uri
    store, root = resolve(uri, backend.artifacts, backend.settings.local_roots)
    folder = _below(root, folder) if (folder := _folder(path)) else root
    skip = len(str(root)) + 1 if root else 0
    files = [entry._replace(path=entry.path[skip:]) for entry in store.list(folder)]
    return {"root_uri": uri, "files": files}


def get_artifact(backend: Backend, path: str, run_id: str) -> ArtifactFile:
    """Spec: getArtifact"""
    store, full = _in_run(backend, run_id, path)
    return store.open(full)


def upload_artifact(backend: Backend, path: str, run_uuid: str) -> ArtifactUpload:
    """Spec: uploadArtifact"""
    require_active_run(backend.store.get_run_info(run_uuid))
    store, full = _in_run(backend, run_uuid, path)
    return store.create(full)


def list_proxy_artifacts(backend: Backend, path: str = "") -> Reply:
    """Spec: listProxyArtifacts"""
    folder = _folder(path)
    entries = _proxy(backend).list(folder)
    return {"files": [FileInfo(entry.path.rsplit("/", 1)[-1], entry.is_dir, entry.file_size) for entry in entries]}


def download_proxy_artifact(backend: Backend, artifact_path: str) -> ArtifactFile:
    """Spec: downloadProxyArtifact"""
    return _proxy(backend).open(ArtifactPath.parse(artifact_path))


def upload_proxy_artifact(backend: Backend, artifact_path: str) -> ArtifactUpload:
    """Spec: uploadProxyArtifact"""
    return _proxy(backend).create(ArtifactPath.parse(artifact_path))


def delete_proxy_artifact(backend: Backend, artifact_path: str) -> Reply:
    """Spec: deleteProxyArtifact"""
    _proxy(backend).delete(ArtifactPath.parse(artifact_path))
    return {}


def create_presigned_url(
    backend: Backend, path: str, run_id: str | None = None, model_id: str | None = None, **_: object
) -> Reply:
    """Spec: createPresignedUploadUrl, createPresignedDownloadUrl"""
    if run_id is None and model_id:
        raise no_model(model_id)
    if run_id is None or model_id:
        raise InvalidParameterValue("Invalid request: give exactly one of run_id and model_id")
    ArtifactPath.parse(path)
    if proxied_path(backend.store.get_run_info(run_id).artifact_uri) is not None:
        raise InvalidParameterValue(f"Artifacts of run '{run_id}' are proxied by this server and have no presigned URL")
    raise NotImplementedByStore(NO_PRESIGNED)


def multipart_upload(backend: Backend, artifact_path: str, **_: object) -> Reply:
    """Spec: createMultipartUpload, completeMultipartUpload, abortMultipartUpload"""
    ArtifactPath.parse(artifact_path)
    raise NotImplementedByStore(NO_MULTIPART_UPLOAD)


def get_presigned_proxy_download(backend: Backend, artifact_path: str) -> Reply:
    """Spec: getPresignedProxyDownload"""
    ArtifactPath.parse(artifact_path)
    raise NotImplementedByStore(NO_MULTIPART_DOWNLOAD)


def _proxy(backend: Backend) -> ArtifactStore:
    if backend.artifacts is None:
        raise NotImplementedByStore("No artifact store is served here")
    return backend.artifacts


def _folder(path: str) -> ArtifactPath | None:
    """A folder to list: none is the root, and one trailing slash says nothing."""
    path = path.removesuffix("/")
    return ArtifactPath.parse(path) if path else None


def _in_run(backend: Backend, run_id: str, path: str) -> tuple[ArtifactStore, ArtifactPath]:
    uri = backend.store.get_run_info(run_id).artifact_uri
    store, root = resolve(uri, backend.artifacts, backend.settings.local_roots)
    return store, _below(root, ArtifactPath.parse(path))


def _below(root: ArtifactPath | None, path: ArtifactPath) -> ArtifactPath:
    return root / path if root else path


HANDLERS: Handlers = {
    "listArtifacts": list_artifacts,
    "getArtifact": get_artifact,
    "uploadArtifact": upload_artifact,
    "listProxyArtifacts": list_proxy_artifacts,
    "downloadProxyArtifact": download_proxy_artifact,
    "uploadProxyArtifact": upload_proxy_artifact,
    "deleteProxyArtifact": delete_proxy_artifact,
    "createPresignedUploadUrl": create_presigned_url,
    "createPresignedDownloadUrl": create_presigned_url,
    "createMultipartUpload": multipart_upload,
    "completeMultipartUpload": multipart_upload,
    "abortMultipartUpload": multipart_upload,
    "getPresignedProxyDownload": get_presigned_proxy_download,
}
