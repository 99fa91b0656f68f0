"""The routes: jobs as JSON, their files, and the page.

Not here: what a job is (``jobs``), who runs it (``desk``), what may come in
(``guard``).
"""

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from mmmed.reporting.style import STYLE
from mmmed.serving.archive import unpack_dicom
from mmmed.serving.desk import Desk
from mmmed.serving.errors import ServiceError, refuse_upload
from mmmed.serving.formats import ZIP, check_size, identify_upload
from mmmed.serving.guard import Guard
from mmmed.serving.jobs import Job
from mmmed.serving.limits import MIB
from mmmed.serving.multipart import Form, receive_form
from mmmed.serving.task import NOTICE
from mmmed.version import __version__

STATIC = Path(__file__).parent / 'static'
# Files of a job by their place in the address; all names are ours.
_FILES = {
    'mask': ('mask.nii.gz', 'application/gzip'),
    'image': ('image.nii.gz', 'application/gzip'),
    'report.json': ('report.json', 'application/json'),
}
_HIDDEN = ('schema_version', 'scan', 'attempts')
_UPLOAD_SCHEMA = {
    'requestBody': {
        'required': True,
        'content': {
            'multipart/form-data': {
                'schema': {
                    'type': 'object',
                    'required': ['file'],
                    'properties': {
                        'file': {'type': 'string', 'format': 'binary'},
                        'model': {'type': 'string'},
                    },
                }
            }
        },
    }
}


def create_app(desk: Desk, *, token: str = '') -> Any:
    """The service as an ASGI application.

    The page of the API's documentation would load code from elsewhere and is off;
    ``/openapi.json`` describes the API.

    Args:
        desk: Started and stopped by the caller.
        token: What clients of ``/jobs`` have to know; empty if everybody may.
    """
    app = FastAPI(
        title='mmmed', version=__version__, description=NOTICE,
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.add_exception_handler(ServiceError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    _add_jobs(app, desk)
    _add_page(app, desk, needs_token=bool(token))
    return Guard(app, desk.limits, token)


def _add_jobs(app: FastAPI, desk: Desk) -> None:
    @app.post('/jobs', status_code=202, openapi_extra=_UPLOAD_SCHEMA)
    async def create_job(request: Request) -> dict[str, Any]:
        """Upload one scan: NIfTI, NRRD, MHA, DICOM or a zip of DICOM files."""
        length = request.headers.get('content-length')
        with desk.admit(int(length) if length else None) as job_id:
            folder = desk.store.locate(job_id)
            form = await receive_form(
                request.stream(),
                request.headers.get('content-type', ''),
                folder / 'upload',
                desk.limits.upload_bytes,
            )
            job = await run_in_threadpool(_accept, desk, job_id, form)
            desk.submit(job)
        return _describe(desk, job_id)

    @app.get('/jobs/{job_id}')
    def read_job(job_id: str) -> dict[str, Any]:
        """State, progress, and measures once it is done."""
        return _describe(desk, job_id)

    @app.delete('/jobs/{job_id}', status_code=204)
    def delete_job(job_id: str) -> Response:
        """Forget a job and its files; stops it if it runs."""
        desk.delete(job_id)
        return Response(status_code=204)

    @app.get('/jobs/{job_id}/{name}')
    def read_file(job_id: str, name: str) -> FileResponse:
        """The mask, the image for the viewer, or the report."""
        job = desk.get(job_id)
        if name not in _FILES:
            raise HTTPException(404)
        file_name, media_type = _FILES[name]
        path = desk.store.locate(job.job_id) / file_name
        if not path.is_file() or (name != 'image' and job.state != 'done'):
            raise ServiceError(
                409,
                'not_ready',
                'The file is not there.',
                why=f'The job is {job.state}.',
                remedy='Wait until its state is done.',
            )
        return FileResponse(path, media_type=media_type, filename=file_name)


def _add_page(app: FastAPI, desk: Desk, *, needs_token: bool) -> None:
    versions = {
        'mmmed': __version__,
        'python': platform.python_version(),
        'torch': importlib.metadata.version('torch'),
    }

    @app.get('/health')
    def check_health(response: Response) -> dict[str, Any]:
        """200 once the models are loaded, 503 before."""
        response.status_code = 200 if desk.state == 'ready' else 503
        return {
            'status': desk.state,
            'versions': versions,
            'models': list(desk.models),
            'queue_length': desk.queue_length,
            'queue_limit': desk.limits.queue,
            'upload_mib': desk.limits.upload_bytes / MIB,
            'keep_hours': desk.limits.keep_s / 3600,
            'needs_token': needs_token,
            'notice': NOTICE,
        }

    @app.get('/', include_in_schema=False)
    def show_page() -> FileResponse:
        return FileResponse(STATIC / 'index.html', media_type='text/html')

    @app.get('/static/house.css', include_in_schema=False)
    def show_style() -> Response:
        return Response(STYLE, media_type='text/css')

    @app.get('/favicon.ico', include_in_schema=False)
    def show_no_icon() -> Response:
        return Response(status_code=204)

    app.mount('/static', StaticFiles(directory=STATIC))


def _accept(desk: Desk, job_id: str, form: Form) -> Job:
    """The job of an upload that lies in its folder; what it is decides its bytes."""
    model = form.fields.get('model') or desk.models[0]
    if model not in desk.models:
        names = ', '.join(desk.models)
        raise refuse_upload('There is no such model.', f'Choose one of: {names}.')
    folder = desk.store.locate(job_id)
    upload = folder / 'upload'
    kind = identify_upload(upload)
    if kind == ZIP:
        unpack_dicom(upload, folder / 'dicom', desk.limits)
        upload.unlink()
        scan = 'dicom'
    else:
        check_size(upload, kind, voxels=desk.limits.voxels)
        scan = f'scan{kind}'
        upload.rename(folder / scan)
    return Job(job_id, model, scan, kind, form.label, form.num_bytes)


def _describe(desk: Desk, job_id: str) -> dict[str, Any]:
    job = desk.get(job_id)
    facts = {k: v for k, v in job.to_dict().items() if k not in _HIDDEN}
    facts['queue_place'] = desk.find_place(job_id)
    folder = desk.store.locate(job_id)
    facts['has_image'] = (folder / 'image.nii.gz').is_file()
    if job.state == 'done':
        facts['report'] = json.loads((folder / 'report.json').read_text())
    return facts


def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    # An upload that was refused halfway is not read to its end.
    headers = {**error.headers, 'Connection': 'close'}
    return JSONResponse({'error': error.to_dict()}, error.status, headers=headers)


def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = ServiceError(
        error.status_code,
        'no_such_page' if error.status_code == 404 else 'bad_request',
        'The request was not understood.',
        why=f'{error.detail}.',
        remedy='See /openapi.json for what there is.',
    )
    return JSONResponse(
        {'error': problem.to_dict()}, error.status_code, headers=error.headers
    )
