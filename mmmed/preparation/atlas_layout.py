"""Which files of an ATLAS folder are images and masks, and which are neither.

Not here: reading any of them (``atlas``).
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.parts import Task

_SUBJECT = re.compile(r'sub-[A-Za-z0-9]{1,60}')
_SITE = re.compile(r'sub-(r\d{3})s\d{3,}', re.IGNORECASE)
_SESSION = re.compile(r'ses-([A-Za-z0-9]{1,30})')
_IMAGE = re.compile(r'.*_T1w\.nii(\.gz)?', re.IGNORECASE)
_MASK = re.compile(r'.*(label-l|lesion).*_mask\.nii(\.gz)?', re.IGNORECASE)
_SPACE = 'space-mni152nlin2009asym'
# What BIDS puts beside the images, and what nobody misses.
_KNOWN = re.compile(
    r'dataset_description\.json|README(\..*)?|CHANGES|LICENSE(\..*)?|participants\..*|'
    r'\..*|.*_T1w\.json|.*_mask\.json',
    re.IGNORECASE,
)
_PARTS = {'training': True, 'testing': False}
_SHOWN = 5


@dataclass(frozen=True)
class RawScan:
    """Files of one session.

    Args:
        subject: ``'sub-r001s001'``.
        session: ``'1'``.
        site: ``'R001'``.
        image: T1-weighted image.
        mask: Lesion mask, None without one.
    """

    subject: str
    session: str
    site: str
    image: Path
    mask: Path | None

    @property
    def case_id(self) -> str:
        """The subject; of further sessions with the session."""
        return (
            self.subject
            if self.session == '1'
            else f'{self.subject}_ses-{self.session}'
        )

    def to_task(self) -> Task:
        """Task of a preparation."""
        sources = {'t1w': self.image} | ({'seg': self.mask} if self.mask else {})
        return Task(self.case_id, self.subject, 0, sources)


def name_subject(name: str) -> str:
    """Subject as the folders write it: ``'r001s001'`` becomes ``'sub-r001s001'``.

    A file name of a subject, such as ``sub-r001s001_ses-1_T1w.nii.gz``, is one too.

    Raises:
        InputError: No subject.
    """
    match = re.fullmatch(r'(?:sub-)?(r\d{3}s\d{3,})(?:[_.].*)?', name, re.IGNORECASE)
    if match:
        return f'sub-{match[1].lower()}'
    if _SUBJECT.fullmatch(name):
        return name
    raise InputError(f'{name!r} is no subject of ATLAS; write it like sub-r001s001')


def name_site(subject: str) -> str:
    """Site in a subject's name, ``'R001'``; ``'unknown'`` for another cohort's."""
    match = _SITE.fullmatch(subject)
    return match[1].upper() if match else 'unknown'


def find_scans(root: Path) -> tuple[list[RawScan], list[Finding]]:
    """All sessions below a folder, in the order of their names.

    Args:
        root: The download, or any folder of it. Subjects are folders ``sub-*`` at any
            depth, so ATLAS's ``Training/R001/sub-*`` and ``Testing``, lower-case site
            folders and BIDS derivatives are all found.

    Returns:
        Scans, and findings: sessions that cannot be used and files that are none.

    Raises:
        InputError: Nothing like a subject is there.
    """
    scans: list[RawScan] = []
    findings: list[Finding] = []
    strays: list[str] = []
    for folder, names in _walk(root):
        relative = folder.relative_to(root)
        subject = _find_part(relative, _SUBJECT)
        images = [n for n in names if subject and _IMAGE.fullmatch(n)]
        masks = [n for n in names if subject and _MASK.fullmatch(n)]
        others = [n for n in names if n not in (*images, *masks)]
        strays += [(relative / n).as_posix() for n in others if not _KNOWN.fullmatch(n)]
        if not subject or not (images or masks):
            continue
        scan = _pair(root, folder, subject, images, masks)
        if isinstance(scan, Finding):
            findings.append(scan)
        else:
            scans.append(scan)
            findings += _judge(root, scan)
    if not scans:
        raise InputError(_explain_nothing(root, findings, strays))
    findings += _report_strays(strays)
    kept: dict[str, RawScan] = {}
    for scan in sorted(scans, key=lambda s: (s.case_id, s.image.as_posix())):
        first = kept.setdefault(scan.case_id, scan)
        if first is not scan:
            findings.append(
                Finding(
                    scan.image.relative_to(root).as_posix(),
                    f'{scan.case_id} is there twice, also as '
                    f'{first.image.relative_to(root).as_posix()}',
                    'keep one of them',
                )
            )
    return list(kept.values()), findings


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    for folder, children, names in os.walk(root):
        children.sort()
        yield Path(folder), sorted(names)


def _find_part(path: Path, pattern: re.Pattern[str]) -> str | None:
    """Deepest folder name that fits a pattern."""
    names = [name for name in path.parts if pattern.fullmatch(name)]
    return names[-1] if names else None


def _pair(
    root: Path, folder: Path, subject: str, images: list[str], masks: list[str]
) -> RawScan | Finding:
    """Image and mask of a folder, or why there is no telling."""
    where = folder.relative_to(root).as_posix()
    chosen = {}
    for kind, names in (('T1w images', images), ('lesion masks', masks)):
        in_space = [n for n in names if _SPACE in n.casefold()]
        left = in_space or names
        if len(left) > 1:
            return Finding(
                where,
                f'{len(left)} {kind} ({", ".join(left[:3])})',
                'keep the one in MNI space; of several masks their union',
            )
        chosen[kind] = folder / left[0] if left else None
    image, mask = chosen['T1w images'], chosen['lesion masks']
    if image is None:
        return Finding(where, 'a lesion mask without an image', 'fetch the T1w image')
    for path in (image, mask):
        if path is not None and not path.is_file():
            return Finding(
                path.relative_to(root).as_posix(),
                'a link to a file that is not there',
                'fetch its content (git-annex or datalad get)',
            )
    relative = folder.relative_to(root)
    session = _find_part(relative, _SESSION)
    return RawScan(
        subject.lower() if _SITE.fullmatch(subject) else subject,
        session.removeprefix('ses-') if session else '1',
        name_site(subject),
        image,
        mask,
    )


def _judge(root: Path, scan: RawScan) -> list[Finding]:
    """A training scan without a mask is a hole, a test scan without one is not."""
    parts = [p.casefold() for p in scan.image.relative_to(root).parts[:-1]]
    wanted = next((_PARTS[p] for p in parts if p in _PARTS), False)
    if scan.mask is None and wanted:
        name = scan.image.relative_to(root).as_posix()
        return [
            Finding(
                name,
                'no lesion mask beside it, though it is training data; kept as '
                'unlabelled',
                'fetch the file *_label-L_desc-T1lesion_mask.nii.gz',
                skipped=False,
            )
        ]
    return []


def _report_strays(strays: Sequence[str]) -> list[Finding]:
    if not strays:
        return []
    shown = ', '.join(strays[:_SHOWN])
    more = f' and {len(strays) - _SHOWN} more' if len(strays) > _SHOWN else ''
    return [
        Finding(
            strays[0],
            f'{len(strays)} file(s) that belong to no subject: {shown}{more}',
            'nothing to do, they were not read',
            skipped=False,
        )
    ]


def _explain_nothing(
    root: Path, findings: Sequence[Finding], strays: Sequence[str]
) -> str:
    archives = [s for s in strays if s.endswith(('.zip', '.tar', '.tgz', '.tar.gz'))]
    if archives:
        return f'{root}: holds the archive {archives[0]}; unpack it first'
    first = f'; first problem: {findings[0]}' if findings else ''
    return (
        f'{root}: no folder sub-* with an image *_T1w.nii.gz in it{first}; name the '
        'folder that holds Training and Testing'
    )
