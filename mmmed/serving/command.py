"""The command line of the service; not here: serving.

Exit codes: 0 stopped or, with ``--once``, done; 2 the call or a model is wrong; 3 some
scans of ``--once`` failed; 130 interrupted.
"""

import argparse
import dataclasses
import json
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from mmmed.serving.desk import Desk, ignore
from mmmed.serving.jobs import JobStore
from mmmed.serving.limits import MIB, Limits
from mmmed.serving.models import (
    Spec,
    check_models,
    hash_model,
    parse_fusion,
    parse_model,
    plan_loading,
)
from mmmed.serving.watch import FolderWatch, Run
from mmmed.serving.worker import Worker

EPILOG = """\
examples:
  python -m mmmed.serve --model stroke=config.py:best.pth --port 8080
  python -m mmmed.serve --model stroke=net.onnx --data scans --results masks --once

With --data, every scan that appears there is segmented into RESULTS/<case>/ as well.
Without --token-file everybody who reaches the port may use it: keep it on a trusted
network, or behind a proxy that knows its users. Research use only.

exit codes: 0 stopped, or done with --once; 2 the call or a model is wrong; 3 some
scans failed with --once; 130 interrupted
"""
_SHORTEST_TOKEN = 16
_MOST_CONNECTIONS = 128
_log = logging.getLogger('mmmed.serving')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The call."""
    parser = argparse.ArgumentParser(
        prog='mmmed.serve',
        description='Segment scans over HTTP, with a page, and from a watched folder.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    text = 'NAME=CONFIG:CKPT[,CKPT...] or NAME=NET.onnx; may be repeated'
    add('--model', action='append', default=[], metavar='SPEC', help=text)
    text = 'NAME=FILE.json: networks of three planes, as for tools/fuse.py --fusion'
    add('--fusion', action='append', default=[], metavar='SPEC', help=text)
    text = 'bring scans of --fusion to the grid of the training, and masks back'
    add('--register', action='store_true', help=text)
    add('--template', type=Path, metavar='T1', help='to register to (embedded)')
    add('--host', default='0.0.0.0', help='address to listen at (all)')
    add('--port', type=int, default=80, help='0 takes a free one (80)')
    add('--device', default='cpu', help='such as cuda:0 (cpu)')
    add('--workers', type=int, default=1, help='processes; each holds all models (1)')
    text = 'where jobs live until they expire (work_dirs/serve)'
    add('--jobs', type=Path, default=Path('work_dirs/serve'), metavar='DIR', help=text)
    add('--data', type=Path, metavar='DIR', help='folder to watch, needs --results')
    add('--results', type=Path, metavar='DIR', help='where its masks go')
    add('--once', action='store_true', help='segment --data and exit; no HTTP')
    add('--token-file', type=Path, metavar='FILE', help='clients must know its content')
    add('--max-upload-mib', type=float, default=512, metavar='MIB')
    add('--max-queue', type=int, default=16, metavar='N', help='waiting scans (16)')
    add('--max-disk-gib', type=float, default=20, metavar='GIB', help='of --jobs (20)')
    add('--keep-hours', type=float, default=24, metavar='H', help='finished jobs (24)')
    text = 'longest time of one scan, in seconds (3600)'
    add('--job-timeout', type=float, default=3600, metavar='S', help=text)
    add('--json', action='store_true', help='with --once: counts as JSON, last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    level = parser.add_mutually_exclusive_group()
    level.add_argument('-q', '--quiet', action='store_true')
    level.add_argument('-v', '--verbose', action='store_true')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped, or segment a folder once; returns the exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    level = 'DEBUG' if args.verbose else 'ERROR' if args.quiet else 'INFO'
    logging.getLogger('mmmed').setLevel(level)
    try:
        return run(args)
    except KeyboardInterrupt:
        _log.warning('interrupted; the same command goes on from here')
        return 130
    except (OSError, ValueError, ImportError) as error:
        if args.debug:
            raise
        _log.error('error: %s', error)
        return 2


def run(args: argparse.Namespace) -> int:
    """Do what the call asks for.

    Raises:
        OSError: A file is absent, or the port is taken.
        ValueError: The call or a model is wrong.
    """
    register = args.register or args.template is not None
    specs: list[Spec] = [
        *(
            parse_fusion(t, register=register, template=args.template)
            for t in args.fusion
        ),
        *(parse_model(text) for text in args.model),
    ]
    check_models(specs)
    limits = _read_limits(args)
    if (args.data is None) != (args.results is None) or (args.once and not args.data):
        raise ValueError('--data and --results go together, and --once needs them')
    if args.data is not None:
        _check_folders(args.data, args.results)
    build = plan_loading(specs, args.device)
    if args.once:
        worker = Worker(build, limits.job_s)
        try:
            worker.start()
            run_task = partial(worker.run, tell=ignore)
            return _run_once(_make_watch(args, specs, run_task, limits), args.json)
        finally:
            worker.stop()
    if args.workers < 1:
        raise ValueError(f'--workers {args.workers}, expected at least 1')
    token = _read_token(args.token_file)
    names = tuple(spec.name for spec in specs)
    with socket.create_server((args.host, args.port)) as door:
        desk = Desk(JobStore(args.jobs), build, names, limits, args.workers)
        watch = _make_watch(args, specs, desk.run, limits) if args.data else None
        return serve(desk, door, token=token, watch=watch)


def serve(
    desk: Desk, door: socket.socket, *, token: str = '', watch: FolderWatch | None
) -> int:
    """Serve until a signal comes or the models turn out to be broken.

    Args:
        desk: Not started yet.
        door: Socket that listens.
        token: See :func:`mmmed.serving.app.create_app`.
        watch: Watched folder, if any.

    Returns:
        0, or 2 if the models cannot be loaded.
    """
    import uvicorn

    from mmmed.serving.app import create_app

    config = uvicorn.Config(
        create_app(desk, token=token),
        log_config=None,
        access_log=False,  # who knows an id may read the job: none goes into a log
        server_header=False,
        timeout_keep_alive=30,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, _stop)
    desk.start()
    threads = [threading.Thread(target=_leave_if_broken, args=(desk, server, stopping))]
    if watch is not None:
        threads.append(threading.Thread(target=watch.watch, args=(stopping,)))
    for thread in threads:
        thread.start()
    host, port = door.getsockname()[:2]
    _log.info('listening at http://%s:%d', host, port)
    try:
        server.run(sockets=[door])
    except _StoppedError:
        _log.info('stopped')
    finally:
        stopping.set()
        desk.stop()
        for thread in threads:
            thread.join()
    return 2 if desk.broken else 0


class _StoppedError(Exception):
    """SIGTERM came, as from ``docker stop``."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _StoppedError


def _leave_if_broken(desk: Desk, server: Any, stopping: threading.Event) -> None:
    while desk.state == 'loading' and not stopping.wait(0.2):
        pass
    if desk.broken:
        server.should_exit = True
    elif desk.state == 'ready':
        _log.info('ready: %s', ', '.join(desk.models))


def _run_once(watch: FolderWatch, as_json: bool) -> int:
    counts = watch.look()
    while counts.unsettled:
        time.sleep(1.0)
        again = watch.look()
        counts = dataclasses.replace(
            again,
            done=counts.done + again.done,
            skipped=again.skipped - counts.done,  # finished by the look before
        )
    _log.info('%s', ', '.join(f'{k} {v}' for k, v in vars(counts).items()))
    if as_json:
        sys.stdout.write(json.dumps(vars(counts)) + '\n')
    return 3 if counts.failed else 0


def _make_watch(
    args: argparse.Namespace, specs: Sequence[Spec], run_task: Run, limits: Limits
) -> FolderWatch:
    return FolderWatch(
        args.data,
        args.results,
        specs[0].name,
        hash_model(specs[0]),
        run_task,
        voxels=limits.voxels,
    )


def _check_folders(data: Path, results: Path) -> None:
    if not data.is_dir():
        raise FileNotFoundError(f'--data {data} is no folder')
    if results.resolve() == data.resolve():
        raise ValueError(f'--results {results} is --data; masks need another folder')
    results.mkdir(parents=True, exist_ok=True)


def _read_limits(args: argparse.Namespace) -> Limits:
    return Limits(
        upload_bytes=round(args.max_upload_mib * MIB),
        queue=args.max_queue,
        disk_bytes=round(args.max_disk_gib * 1024 * MIB),
        keep_s=args.keep_hours * 3600,
        job_s=args.job_timeout,
    )


def _read_token(path: Path | None) -> str:
    if path is None:
        return ''
    token = path.read_text().strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or ' ' in token:
        raise ValueError(
            f'{path}: the token has {len(token)} characters, expected at least '
            f'{_SHORTEST_TOKEN} of ASCII without spaces; openssl rand -hex 32 makes one'
        )
    return token
