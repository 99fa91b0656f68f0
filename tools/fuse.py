"""Fuse networks of the axial, sagittal and coronal plane into one lesion mask.

Example:
    python tools/fuse.py --axial A.py A.pth --sagittal S.py S.pth --coronal C.py C.pth
        scans/ masks/ --register
    python tools/fuse.py --fusion fusion.json data/atlas results/ --rule vote
    python tools/fuse.py --fusion f0.json data/atlas oof/ --fold 0 --fit-weights w.json

INPUT is a scan, a folder of scans, or a prepared folder (its validation side). With
references there are tables, figures and fusion.html in OUT. Weights are fitted on all
folds that were predicted into the same OUT.

Exit codes: 0 done, 2 the call or the input is wrong, 3 done but some scans failed
(each is named, and in its report), 130 interrupted (the same command goes on).
"""

import argparse
import json
import logging
import sys

from mmmed.inference.fusion_call import run_fusion
from mmmed.inference.loading import hush_host
from mmmed.reporting.fusion_report import write_fusion_report


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('input', help='scan, folder of scans, or prepared folder')
    add('out', help='folder of the results')
    for plane in ('axial', 'sagittal', 'coronal'):
        text = f'networks of {plane} slices; several are averaged'
        add(f'--{plane}', nargs=2, metavar=('CONFIG', 'CKPT[,CKPT]'), help=text)
    add('--fusion', metavar='JSON', help='file that names networks and rule')
    add('--rule', choices=('mean', 'vote', 'weighted'), help='of fusion (mean)')
    add('--weights-file', metavar='JSON', help='weights and threshold as fitted')
    add('--threshold', type=float, metavar='P', help='probability of lesion (0.5)')
    add('--min-component-mm3', type=float, metavar='V', help='smaller ones are removed')
    add('--register', action='store_true', help='bring scans to the training grid')
    add('--template', metavar='T1', help='to register to, instead of the embedded one')
    add('--grid', metavar='SCAN', help='on the training grid, if checkpoints lack it')
    add('--reference', metavar='DIR', help='masks to evaluate with')
    add('--split', choices=('train', 'val', 'test'), help='of a prepared folder (val)')
    add('--fold', type=int, metavar='K', help='of a prepared folder')
    add('--fit-weights', metavar='JSON', help='fit weights out of fold, write them')
    add('--save', action='append', choices=('prob',), help='probabilities too')
    add('--device', help='such as cuda:0 (cuda if there is one, else cpu)')
    add('--bf16', action='store_true', help='half the precision, twice the speed')
    add('--compile', action='store_true', help='build code for each size of slice')
    add('--batch-size', type=int, default=2, help='slices at a time (2)')
    add('--irregular', choices=('refuse', 'resample'), default='refuse', help='DICOM')
    add('--num-parts', type=int, default=1, help='divide the scans among runs')
    add('--part-id', type=int, default=0, help='which part this run takes, from 0')
    add('--overwrite', action='store_true', help='make finished results anew')
    add('--dry-run', action='store_true', help='say what would be done, write nothing')
    add('--json', action='store_true', help='summary as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    level = parser.add_mutually_exclusive_group()
    level.add_argument('-q', '--quiet', action='store_true')
    level.add_argument('-v', '--verbose', action='store_true')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    level = 'DEBUG' if args.verbose else 'ERROR' if args.quiet else 'INFO'
    logging.getLogger('mmmed').setLevel(level)
    if not args.verbose:
        hush_host()
    try:
        outcome, fitted = run_fusion(vars(args))
        written = [] if args.dry_run else write_fusion_report(args.out)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    summary = outcome.summarize() | ({'fitted': fitted} if fitted else {})
    summary['report'] = written[-1].name if written else None
    if not args.quiet:
        print(', '.join(f'{k} {v}' for k, v in summary.items() if k != 'errors'))
    if args.json:
        print(json.dumps(summary))
    return outcome.exit_code


if __name__ == '__main__':
    sys.exit(main())
