"""Apply a trained network, or an ensemble, to scans.

Example:
    python tools/infer.py CONFIG.py CKPT.pth scans/ masks/
    python tools/infer.py CONFIG.py FOLD0.pth FOLD1.pth scan.nii.gz masks/ --tta
    python tools/infer.py CONFIG.py CKPT.pth network.onnx --export onnx
    python tools/infer.py network.onnx dicom_folder/ masks/ --save dicom-seg

Exit codes: 0 done, 2 the call or the input is wrong, 3 done but some scans failed
(each is named, and in its report), 130 interrupted (the same command goes on).
"""

import argparse
import json
import logging
import sys
from typing import Any

from mmmed import inference
from mmmed.functional.planes import PLANES


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    form = 'CONFIG CKPT [CKPT...] INPUT OUT, or NETWORK.onnx [...] INPUT OUT'
    add('paths', nargs='+', metavar='PATH', help=form)
    add('--save', action='append', choices=inference.SAVES, help='may repeat (seg)')
    add('--ensemble', choices=('mean', 'vote', 'staple'), default='mean')
    add('--keep-near', nargs=3, metavar=('ORGAN', 'LESION', 'MM'), help='clean up')
    add('--tta', action='store_true', help='average mirrored views of the recipe')
    add('--plane', choices=PLANES, help='of a 2-D network')
    add('--neighbors', type=int, metavar='K', help='slices on each side as channels')
    text = 'of a CT window, once per channel, where training did not record it'
    add('--window-level', type=float, action='append', metavar='HU', help=text)
    add('--window-width', type=float, action='append', metavar='HU', help=text)
    add('--device', help='such as cuda:0 (cuda if there is one, else cpu)')
    add('--batch-size', type=int, default=4, help='slices or windows at a time (4)')
    add('--memory-mib', type=int, help='aimed at for class probabilities')
    add('--irregular', choices=('refuse', 'resample'), default='refuse', help='DICOM')
    add('--num-parts', type=int, default=1, help='divide the scans among runs')
    add('--part-id', type=int, default=0, help='which part this run takes, from 0')
    add('--export', choices=('onnx',), help='write the network; OUT is its file')
    add('--overwrite', action='store_true', help='make finished results anew')
    add('--dry-run', action='store_true', help='say what would be done, write nothing')
    add('--json', action='store_true', help='summary as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    level = parser.add_mutually_exclusive_group()
    level.add_argument('-q', '--quiet', action='store_true')
    level.add_argument('-v', '--verbose', action='store_true')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """Load, then export or predict; returns exit code and summary."""
    call = inference.parse_call(vars(args))
    loaded = inference.load_networks(
        call.config, call.weights, device=call.device, changes=call.changes
    )
    if call.source is None:
        difference = inference.export_onnx(loaded, call.out)
        return 0, {'out': str(call.out), 'largest_logit_difference': difference}
    inferencer = inference.Inferencer(loaded.networks, loaded.recipe, **call.predict)
    options = inference.RunOptions(
        **call.options, show_progress=not args.quiet and sys.stderr.isatty()
    )
    outcome = inference.infer_scans(inferencer, loaded, call.source, call.out, options)
    return outcome.exit_code, outcome.summarize()


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    level = 'DEBUG' if args.verbose else 'ERROR' if args.quiet else 'INFO'
    logging.getLogger('mmmed').setLevel(level)
    if not args.verbose:
        inference.hush_host()
    try:
        code, summary = run(args)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not args.quiet:
        print(', '.join(f'{k} {v}' for k, v in summary.items() if k != 'errors'))
    if args.json:
        print(json.dumps(summary))
    return code


if __name__ == '__main__':
    sys.exit(main())
