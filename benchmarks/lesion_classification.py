"""Tables of projects/lesion_classification, from its finished runs.

Every number is that of ``tools/classify.py``, whose folders stay below OUT: scores of
cases that no model of the fold has seen, ensembles against their members, and what is
left when sequences are missing. What was not trained is left out and named.

    python benchmarks/lesion_classification.py --out work_dirs/lesion_study
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import mmmed.compat  # noqa: F401
from mmmed import inference
from mmmed.inference.classification_options import ClassificationOptions
from mmmed.structures.json_file import load_json

NAME = '_1xb16-adamw-20e_lesion6mm-vol-6x24x24'
FAMILIES = {
    'ResNet, slices': 'resnet-w11_slices',
    'ResNet, 3-D': 'resnet-w11_early',
    'CRN, slices': 'crn-w03_slices',
}
SEEDS = (0, 1, 2)


def classify(models: Sequence[Path], data: Path, out: Path, **options) -> dict:
    """Content of ``metrics.json``; models that have answered are not asked again."""
    settings = ClassificationOptions(quiet=True, **options)
    inference.classify_regions(list(models), data, out, settings)
    return load_json(out / 'metrics.json')


def show(score: dict) -> str:
    """Value and interval."""
    return f'{score["value"]:.3f} ({score["low"]:.3f} to {score["high"]:.3f})'


def mean_signs(targets: dict, key: str = 'accuracy') -> float:
    """Mean over all targets but the type."""
    return statistics.mean(
        target['scores'][key]['value'] for n, target in targets.items() if n != 'type'
    )


def list_folds(runs: Path, family: str) -> list[Path]:
    """Tested folds of a recipe."""
    return sorted(
        path.parents[2]
        for path in (runs / f'{family}{NAME}').glob('fold*/evaluation/*/summary.json')
    )


def tabulate_folds(args: argparse.Namespace) -> Iterator[str]:
    """Each case by the model of its fold, before and after temperature scaling."""
    yield 'Out of fold | folds | type accuracy | type AUC | mean sign accuracy'
    second = [
        'Calibration | type log loss, raw | scaled | type ECE, raw | scaled | '
        'mean log loss of 12, raw | scaled | mean ECE of 12, raw | scaled'
    ]
    for title, family in FAMILIES.items():
        folds = list_folds(args.runs, family)
        if not folds:
            continue
        pair = []
        for kind, calibrate in (('raw', False), ('scaled', True)):
            out = args.out / 'folds' / family / kind
            found = classify(folds, args.data, out, role='test', calibrate=calibrate)
            pair.append(found['ensemble'])
        scores = pair[1]['type']['scores']
        yield (
            f'{title} | {len(folds)} | {show(scores["accuracy"])} | '
            f'{scores["auc_macro"]["value"]:.3f} | {mean_signs(pair[1]):.3f}'
        )
        cells = [
            f'{found["type"]["scores"][key]["value"]:.3f}'
            for key in ('log_loss', 'ece')
            for found in pair
        ] + [
            f'{statistics.mean(t["scores"][key]["value"] for t in found.values()):.3f}'
            for key in ('log_loss', 'ece')
            for found in pair
        ]
        second.append(' | '.join([title, *cells]))
    yield ''
    yield from second


def tabulate_ensembles(args: argparse.Namespace) -> Iterator[str]:
    """Cases of a new cohort by all folds together."""
    yield (
        'New cohort | models | type, worst | mean | best model | ensemble | vote | '
        'composite, best model | ensemble'
    )
    groups = {t: list_folds(args.runs, f) for t, f in FAMILIES.items()}
    groups['all'] = [fold for folds in groups.values() for fold in folds]
    for title, folds in groups.items():
        if not folds:
            continue
        name = f'{FAMILIES.get(title, "all")}{len(folds)}'
        found, voted = (
            classify(folds, args.test, args.out / 'ensembles' / f'{name}_{rule}',
                     rule=rule)
            for rule in ('mean', 'vote')
        )  # fmt: skip
        single = [m['targets']['type']['accuracy'] for m in found['models'].values()]
        best = max(m['composite'] for m in found['models'].values())
        value = voted['ensemble']['type']['scores']['accuracy']['value']
        yield (
            f'{title} | {len(single)} | {min(single):.3f} | '
            f'{statistics.mean(single):.3f} | {max(single):.3f} | '
            f'{show(found["ensemble"]["type"]["scores"]["accuracy"])} | {value:.3f} | '
            f'{best:.3f} | {found["composite"]:.3f}'
        )


def tabulate_seeds(args: argparse.Namespace) -> Iterator[str]:
    """The same fold with three seeds: all sequences, and three quarters of them."""
    yield 'Fold 0 | sequences | type accuracy by seed | mean | mean sign accuracy'
    for title, family in FAMILIES.items():
        models = [
            args.runs / f'{family}{NAME}' / 'fold0',
            *(args.seeds / f'{family}_seed{s}' / 'fold0' for s in SEEDS[1:]),
        ]
        if not all(list(m.glob('evaluation/*/summary.json')) for m in models):
            continue
        for kind, data in (('all', args.test), ('a quarter missing', args.missing)):
            found = [
                classify([model], data, args.out / 'seeds' / family / kind / str(seed))
                for seed, model in zip(SEEDS, models, strict=True)
            ]
            values = [
                f['ensemble']['type']['scores']['accuracy']['value'] for f in found
            ]
            signs = statistics.mean(mean_signs(f['ensemble']) for f in found)
            yield (
                f'{title} | {kind} | {", ".join(f"{v:.3f}" for v in values)} | '
                f'{statistics.mean(values):.3f} | {signs:.3f}'
            )


def to_markdown(lines: Iterator[str]) -> Iterator[str]:
    """Tables of Markdown; the first line of each is its head."""
    is_head = True
    for line in lines:
        yield f'| {line} |' if line else ''
        if is_head:
            yield '|' + ' --- |' * (line.count('|') + 1)
        is_head = not line


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--runs', type=Path, default=Path('work_dirs/cross_validation'))
    add('--seeds', type=Path, default=Path('work_dirs/lesion6mm_seeds'))
    add('--data', type=Path, default=Path('data/lesion6mm'))
    add('--test', type=Path, default=Path('data/lesion6mm_test'))
    add('--missing', type=Path, default=Path('data/lesion6mm_test_missing'))
    add('--out', type=Path, required=True, metavar='DIR')
    args = parser.parse_args()
    inference.hush_host()
    for tabulate in (tabulate_folds, tabulate_ensembles, tabulate_seeds):
        print('\n'.join(to_markdown(tabulate(args))), end='\n\n', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
