"""Train and test a recipe on every fold, and sum up.

Examples:
    python tools/cross_validate.py configs/unet/RECIPE.py --folds 5
    python tools/cross_validate.py RECIPE.py --planes axial sagittal coronal --array

Finished runs are left alone and killed ones go on: the same command continues.

Exit codes: 0 done, 2 the call is wrong, 3 a run failed (named), 130 interrupted.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from mmmed.engine import cross_validation as grids
from mmmed.engine import fold_summary as results


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('config', type=Path, help='recipe')
    add('--work-dir', type=Path, help='default: work_dirs/cross_validation/RECIPE')
    add('--folds', type=int, default=5, help='as the data was prepared (5)')
    add('--planes', nargs='+', default=(), metavar='PLANE', help='of dataset.plane')
    add(
        '--checkpoint', choices=grids.CHECKPOINTS, default='last', help='to test (last)'
    )
    add('--launcher', choices=('pytorch', 'slurm'), help='of each run, for mim')
    add('--gpus', type=int, help='processes of each run, with --launcher')
    add('--task', type=int, metavar='K', help='only run number K of the grid, from 0')
    add('--array', action='store_true', help='print a Slurm job array, run nothing')
    add('--dry-run', action='store_true', help='list the runs, run nothing')
    add('--json', action='store_true', help='result as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    add('--cfg-options', nargs='+', default=(), metavar='K=V', help='of every run')
    return parser.parse_args(argv)


def make_grid(args: argparse.Namespace) -> grids.Grid:
    """Grid of the call."""
    work_dir = args.work_dir or Path('work_dirs/cross_validation') / args.config.stem
    launcher = ['--launcher', args.launcher] if args.launcher else []
    processes = ['--gpus', str(args.gpus)] if args.gpus else []
    shared = {
        'launcher': (*launcher, *processes),
        'options': tuple(args.cfg_options),
        'checkpoint': args.checkpoint,
    }
    return grids.Grid(args.config, work_dir, args.folds, tuple(args.planes), shared)


def run(args: argparse.Namespace, argv: list[str]) -> tuple[int, list[str], object]:
    """Do what the call says: exit code, lines for people, result."""
    grid = make_grid(args)
    if args.array:
        return 0, [grids.write_array_script(argv, grid)], len(grid.runs)
    if args.dry_run:
        return 0, *grids.list_runs(grid)
    say = (lambda line: None) if args.quiet else partial(print, flush=True)
    failures = grids.execute_grid(grid, task=args.task, say=say)
    summary = results.summarize_folds(grid.runs)
    results.write_fold_summary(summary, grid.work_dir)
    return (
        3 if failures else 0,
        [*failures, *results.format_fold_summary(summary)],
        summary,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    args = parse_args(argv)
    try:
        code, lines, result = run(args, argv)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if code or not args.quiet:
        print('\n'.join(lines))
    if args.json:
        print(json.dumps(result))
    return code


if __name__ == '__main__':
    sys.exit(main())
