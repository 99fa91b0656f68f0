"""Class names of the spinal cord pipeline, and how one follows from another.

Names, never numbers, are what decides: a checkpoint stores its own class names, and a
table of data stores these. What a series is called in files is no matter of this
module.

The names are those of the reference project's tables of experiments (anatomy, region
and view, sequence); 'spine' takes the place of its numbered class.
"""

from __future__ import annotations

ANATOMY = ('spine', 'head', 'abdomen', 'other')
LOCATION = ('cervical', 'thoracic', 'lumbar')
VIEW = ('axial', 'coronal', 'sagittal')
OTHER = 'other'
"""What is none of the classes of a gate that may reject."""
LOCATION_VIEW = (*(f'{place}_{view}' for place in LOCATION for view in VIEW), OTHER)
SEQUENCE = ('T1w', 'T2w', 'T2starw', OTHER)
CORD = ('absent', 'present')

SPINE_TARGETS: dict[str, tuple[str, ...]] = {
    'anatomy': ANATOMY,
    'location': LOCATION,
    'view': VIEW,
    'location_view': LOCATION_VIEW,
    'sequence': SEQUENCE,
    'cord': CORD,
}
"""Every question that is asked of a slice, with its class names: index = label."""

SERIES_TARGETS = ('anatomy', 'location', 'sequence')
"""What is known of a whole series; the rest follows from the slice."""

UNKNOWN = -1
"""Label of a target that nobody knows."""


def find_class_number(target: str, name: str | None) -> int:
    """Label of a class name.

    Args:
        target: One of ``SPINE_TARGETS``.
        name: One of its class names; None if it is unknown.

    Returns:
        Index of the name; ``UNKNOWN`` for None.

    Raises:
        ValueError: Another target or another name.
    """
    if target not in SPINE_TARGETS:
        raise ValueError(f'target: got {target!r}, expected one of {[*SPINE_TARGETS]}')
    if name is None:
        return UNKNOWN
    names = SPINE_TARGETS[target]
    if name not in names:
        raise ValueError(f'class of {target}: got {name!r}, expected one of {names}')
    return names.index(name)


def join_location_view(
    anatomy: str | None, location: str | None, view: str | None
) -> str | None:
    """Class of location and view together.

    Args:
        anatomy: Class name of anatomy, or None.
        location: Class name of location, or None.
        view: Class name of view, or None.

    Returns:
        ``'cervical_axial'`` and so on; ``'other'`` of what is known not to be a spine;
        None where location or view is unknown.
    """
    if anatomy is not None and anatomy != ANATOMY[0]:
        return OTHER
    if location is None or view is None:
        return None
    return f'{location}_{view}'
