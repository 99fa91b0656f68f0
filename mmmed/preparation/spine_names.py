"""What the name of a spinal cord file says: image or mask, whose mask, which sequence.

Not here: which files there are (``spine_layouts``), what a table says of them
(``spine_targets``).
"""

import re
from pathlib import PurePath

SUFFIXES = ('.nii.gz', '.nii')

# In this order: the first that fits is it. 'other' are labels that nobody asked for.
_MASKS = tuple(
    (role, re.compile(pattern, re.IGNORECASE))
    for role, pattern in (
        ('lesion', r'(.+)_label-lesion_(?:seg|mask)'),
        ('lesion', r'(.+)_lesion(?:-manual|_manual|_seg|_mask)'),
        ('cord', r'(.+)_label-SC_(?:seg|mask)'),
        ('other', r'(.+)_label-.+'),
        ('other', r'(.+)_(?:gm|wm|csf|soft|canal|disc)s?_?(?:seg|mask)(?:[-_].+)?'),
        ('other', r'(.+)_(?:dseg|dlabel|labels?(?:[-_].+)?|centerline(?:[-_].+)?)'),
        ('cord', r'(.+?)_(?:seg-manual|seg_manual|sc_seg|seg)'),
    )
)
_SEQUENCES = {
    't1': 'T1w',
    't1w': 'T1w',
    't2': 'T2w',
    't2w': 'T2w',
    't2s': 'T2starw',
    't2star': 'T2starw',
    't2starw': 'T2starw',
    **dict.fromkeys(
        ('mt', 'mt0', 'mt1', 'mts', 'mtr', 'dmri', 'dwi', 'fmri', 'bold', 'stir'),
        'other',
    ),
    **dict.fromkeys(('flair', 'psir', 'mp2rage', 'unit1'), 'other'),
}
_LOCATIONS = ('cervical', 'thoracic', 'lumbar')
_SUBJECT = re.compile(r'sub-[A-Za-z0-9]{1,60}')


def split_suffix(name: str) -> tuple[str, str] | None:
    """Stem and suffix of a NIfTI file name; None for any other name."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], name[-len(suffix) :]
    return None


def split_mask_name(stem: str) -> tuple[str, str] | None:
    """Image and role of a mask, by its name.

    Args:
        stem: Name without ``.nii`` or ``.nii.gz``.

    Returns:
        Stem of the image, and ``'cord'``, ``'lesion'`` or ``'other'`` (grey matter,
        discs and so on); None for the name of an image.

    Example:
        >>> split_mask_name('sub-01_T2w_label-SC_seg')
        ('sub-01_T2w', 'cord')
        >>> split_mask_name('t2_fake_lesion') is None
        True
    """
    for role, pattern in _MASKS:
        if match := pattern.fullmatch(stem):
            return match[1], role
    return None


def find_sequence(path: PurePath) -> str | None:
    """Class name of the sequence that a file's name, or its folder's, speaks of.

    The words of the name count from the last, as the last of a BIDS name is its
    suffix (``sub-01_acq-T1w_MTS`` is no T1w); the folder only where they say nothing.
    """
    words = [*reversed(_split_words(path.name)), *_split_words(path.parent.name)]
    return next((_SEQUENCES[w] for w in words if w in _SEQUENCES), None)


def find_location(path: PurePath) -> str | None:
    """Class name of the location in a relative path; None without one or with two."""
    words = {word for part in path.parts for word in _split_words(part)}
    named = [name for name in _LOCATIONS if name in words]
    return named[0] if len(named) == 1 else None


def find_subject(path: PurePath) -> str | None:
    """The BIDS subject of a relative path, ``'sub-01'``; None if it has none."""
    for part in reversed(path.parts):
        if match := _SUBJECT.match(part):
            return match[0]
    return None


def _split_words(name: str) -> list[str]:
    return [word for word in re.split(r'[^a-z0-9]+', name.lower()) if word]
