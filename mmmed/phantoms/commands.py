"""What each generator takes on the command line, and how it is called.

Not here: parsing and messages (``tools/make_phantom.py``), the generators themselves.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from mmmed.phantoms.abdomen_ct import PHASES, make_abdomen_cohort
from mmmed.phantoms.abdomen_raw import LAYOUTS, write_abdomen_raw
from mmmed.phantoms.abdomen_tumors import TUMOR_ORGANS
from mmmed.phantoms.ct_ich_raw import write_jpeg_release, write_nifti_release
from mmmed.phantoms.head_ct import make_cohort
from mmmed.phantoms.lesion_raw import LAYOUTS as LESION_LAYOUTS
from mmmed.phantoms.lesion_raw import (
    SHAPE,
    SPACING,
    make_lesion_cohort,
    write_lesion_raw,
)
from mmmed.phantoms.lesion_signs import SEQUENCES
from mmmed.phantoms.spine_anatomy import REGIONS
from mmmed.phantoms.spine_image import SEQUENCES as SPINE_SEQUENCES
from mmmed.phantoms.spine_raw import SIZE as SPINE_SIZE
from mmmed.phantoms.spine_raw import SPACING as SPINE_SPACING
from mmmed.phantoms.spine_raw import make_spine_cohort, write_spine_raw

_RELEASES = {'jpeg': write_jpeg_release, 'nifti': write_nifti_release}
_Show = Callable[[Iterable[Any]], Iterable[Any]]


class Subject(NamedTuple):
    """One generator.

    Attributes:
        help: What it makes.
        counted: What it counts.
        add_arguments: Adds its options by ``ArgumentParser.add_argument``.
        write: Takes the options, all of them, and a progress bar around the
            patients; returns how many it has written.
    """

    help: str
    counted: str
    add_arguments: Callable[[Callable[..., Any]], None]
    write: Callable[[Mapping[str, Any], _Show], int]


def _add_head(add: Callable[..., Any]) -> None:
    add('--slices', type=int, default=8, help='axial slices a patient (8)')
    add('--size', type=int, default=256, help='rows and columns (256)')
    add('--release', choices=sorted(_RELEASES), default='jpeg', help='layout (jpeg)')


def _write_head(options: Mapping[str, Any], show: _Show) -> int:
    names = ('slices', 'size', 'seed')
    heads = make_cohort(options['patients'], **{name: options[name] for name in names})
    return _RELEASES[options['release']](options['out'], show(heads))


def _add_abdomen(add: Callable[..., Any]) -> None:
    add('--layout', choices=LAYOUTS, default='msd-liver', help='msd-liver')
    add('--organ', choices=sorted(TUMOR_ORGANS), default='liver', help='with tumors')
    add('--tumors', type=int, default=4, help='largest number, 0 healthy (4)')
    add('--phase', choices=PHASES, default='portal', help='of contrast (portal)')
    _add_spacing(add, (3, 1.5, 1.5))


def _write_abdomen(options: Mapping[str, Any], show: _Show) -> int:
    names = ('organ', 'tumors', 'phase', 'seed')
    cohort = make_abdomen_cohort(
        options['patients'],
        spacing=options['spacing_mm'],
        **{name: options[name] for name in names},
    )
    return write_abdomen_raw(options['out'], show(cohort), options['layout'])


def _add_lesions(add: Callable[..., Any]) -> None:
    add('--layout', choices=LESION_LAYOUTS, default='crops', help='of files (crops)')
    text = f'images, some of {" ".join(SEQUENCES)} (all)'
    add('--sequences', nargs='+', default=SEQUENCES, metavar='NAME', help=text)
    triple: dict[str, Any] = {'nargs': 3, 'metavar': ('Z', 'Y', 'X')}
    text = f'voxels ({" ".join(map(str, SHAPE))})'
    add('--size', type=int, default=SHAPE, help=text, **triple)
    _add_spacing(add, SPACING)
    add('--lesions', type=int, default=1, help='largest number of a patient (1)')
    add('--noise', type=float, default=0.06, help='share of the contrast (0.06)')
    text = 'probability of a sign that is not typical of the type (0.1)'
    add('--atypical', type=float, default=0.1, help=text)
    add('--missing-sequences', type=float, default=0.0, help='probability (0)')
    add('--missing-labels', type=float, default=0.0, help='probability (0)')


def _write_lesions(options: Mapping[str, Any], show: _Show) -> int:
    names = ('sequences', 'lesions', 'noise', 'atypical', 'missing_sequences',
             'missing_labels', 'seed')  # fmt: skip
    cohort = make_lesion_cohort(
        options['patients'],
        shape=options['size'],
        spacing=options['spacing_mm'],
        **{name: options[name] for name in names},
    )
    return write_lesion_raw(options['out'], show(cohort), options['layout'])


def _add_spine(add: Callable[..., Any]) -> None:
    for name, known in (('regions', tuple(REGIONS)), ('sequences', SPINE_SEQUENCES)):
        text = f'some of {" ".join(known)} (all)'
        many: dict[str, Any] = {'nargs': '+', 'metavar': 'NAME'}
        add(f'--{name}', default=known, help=text, **many)
    triple: dict[str, Any] = {'nargs': 3, 'metavar': ('Z', 'Y', 'X')}
    text = f'voxels of T1w and T2w ({" ".join(map(str, SPINE_SIZE))})'
    add('--size', type=int, default=SPINE_SIZE, help=text, **triple)
    _add_spacing(add, SPINE_SPACING)
    add('--lesions', type=int, default=0, help='largest number of a patient (0)')
    add('--noise', type=float, default=0.04, help='share of the signal (0.04)')
    text = 'also canal, grey matter and vertebral levels'
    add('--extras', action='store_true', help=text)


def _write_spine(options: Mapping[str, Any], show: _Show) -> int:
    names = ('regions', 'sequences', 'lesions', 'noise', 'seed')
    cohort = make_spine_cohort(
        options['patients'],
        shape=options['size'],
        spacing=options['spacing_mm'],
        **{name: options[name] for name in names},
    )
    return write_spine_raw(options['out'], show(cohort), extras=options['extras'])


def _add_spacing(add: Callable[..., Any], default: tuple[float, ...]) -> None:
    text = f'voxel size ({" ".join(map(str, default))})'
    add(
        '--spacing-mm',
        type=float,
        nargs=3,
        default=default,
        metavar=('Z', 'Y', 'X'),
        help=text,
    )


SUBJECTS = {
    'head-ct': Subject(
        'head CT with hemorrhage (ct-ich)', 'slices', _add_head, _write_head
    ),
    'abdomen': Subject(
        'abdomen CT with organs, vessels, tumors', 'scans', _add_abdomen, _write_abdomen
    ),
    'lesions': Subject(
        'liver lesions in MRI sequences, with signs and types',
        'lesions',
        _add_lesions,
        _write_lesions,
    ),
    'spine': Subject(
        'spinal cord MRI in three regions and sequences (Spine Generic)',
        'images',
        _add_spine,
        _write_spine,
    ),
}
