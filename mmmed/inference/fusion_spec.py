"""FusionSpec: which networks see which plane and how their answers become one.

A JSON file of it is what a server or a colleague needs. Not here: loading networks
(``plane_fusion``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional import plane_fusion as rules
from mmmed.functional.planes import get_plane_axis


@dataclass(frozen=True)
class FusionRule:
    """How probabilities of planes become a mask.

    Args:
        name: ``'mean'``, ``'vote'`` or ``'weighted'``.
        threshold: In (0, 1]; reached is enough.
        weights: By plane, for ``'weighted'``.
        min_component_mm3: Smaller components are removed.

    Raises:
        ValueError: Unknown name, or values that do not fit it.
    """

    name: str = 'mean'
    threshold: float = 0.5
    weights: Mapping[str, float] | None = None
    min_component_mm3: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in rules.RULES:
            raise ValueError(f'rule is {self.name!r}, expected one of {rules.RULES}')
        if (self.name == 'weighted') != (self.weights is not None):
            raise ValueError(
                f'rule {self.name!r} with weights {self.weights}; "weighted" needs '
                'them (--weights-file), the others have none'
            )
        if self.weights is not None and not isinstance(self.weights, Mapping):
            raise ValueError(f'weights are {self.weights!r}, expected plane: number')
        if not 0 < self.threshold <= 1:
            raise ValueError(
                f'threshold is {self.threshold}, expected a number in (0, 1]'
            )
        if not 0 <= self.min_component_mm3 < float('inf'):
            raise ValueError(
                f'min_component_mm3 is {self.min_component_mm3}, expected >= 0'
            )

    def apply(
        self, probs: Mapping[str, NDArray], spacing: Sequence[float]
    ) -> NDArray[np.bool_]:
        """Mask of the probabilities (Z, Y, X) of the planes.

        Raises:
            ValueError: Shapes differ, or a plane has no weight.
        """
        volumes = list(probs.values())
        if self.name == 'vote':
            mask = rules.fuse_by_vote(volumes, threshold=self.threshold)
        else:
            mask = rules.fuse_by_weights(
                volumes, self.list_weights(probs), threshold=self.threshold
            )
        if not self.min_component_mm3:
            return mask
        return rules.filter_components(
            mask, spacing, min_volume_mm3=self.min_component_mm3
        )

    def list_weights(self, planes: Sequence[str] | Mapping[str, Any]) -> list[float]:
        """Weights in the order of the planes; equal ones where none are given.

        Raises:
            ValueError: The weights are for other planes.
        """
        if self.weights is None:
            return [1.0] * len(planes)
        if set(self.weights) != set(planes):
            raise ValueError(
                f'weights for {sorted(self.weights)}, networks for {sorted(planes)}; '
                'expected the same planes'
            )
        return [float(self.weights[plane]) for plane in planes]

    def to_dict(self) -> dict[str, Any]:
        """Values as JSON holds them."""
        weights = None if self.weights is None else dict(self.weights)
        return {
            'rule': self.name,
            'threshold': self.threshold,
            'weights': weights,
            'min_component_mm3': self.min_component_mm3,
        }


@dataclass(frozen=True)
class FusionSpec:
    """Networks of each plane and the rule.

    Args:
        planes: For each plane its config and its checkpoints (folds of an ensemble).
        rule: See :class:`FusionRule`.

    Raises:
        ValueError: No plane, an unknown one, or one without checkpoints.
    """

    planes: Mapping[str, tuple[Path, tuple[Path, ...]]]
    rule: FusionRule = field(default_factory=FusionRule)

    def __post_init__(self) -> None:
        if not self.planes:
            raise ValueError('no plane, expected axial, coronal or sagittal networks')
        for plane, (_, checkpoints) in self.planes.items():
            get_plane_axis(plane)
            if not checkpoints:
                raise ValueError(f'plane {plane!r} has no checkpoints')
        self.rule.list_weights(tuple(self.planes))

    @classmethod
    def read(cls, path: str | Path) -> 'FusionSpec':
        """Read a JSON file; relative paths in it start from its folder.

        ``{"axial": {"config": ..., "checkpoints": [...]}, ..., "rule": "mean",
        "threshold": 0.5, "weights": {...}, "min_component_mm3": 0}``

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not such a file; the message names it.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'fusion file {path} does not exist')
        try:
            return cls.from_dict(json.loads(path.read_text()), path.parent)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error

    @classmethod
    def from_dict(cls, values: Any, folder: Path) -> 'FusionSpec':
        """The spec that a JSON value describes; paths start from ``folder``."""
        if not isinstance(values, Mapping):
            raise ValueError('not a fusion file, expected an object with planes')
        # Weights as tools/fuse.py fitted them bring the rule with them.
        rule_keys = ('rule', *(f.name for f in fields(FusionRule) if f.name != 'name'))
        planes = {
            plane: _read_plane(plane, entry, folder)
            for plane, entry in values.items()
            if plane not in (*rule_keys, 'schema_version')
        }
        return cls(planes, make_rule({k: values[k] for k in rule_keys if k in values}))


def make_rule(values: Mapping[str, Any]) -> FusionRule:
    """A rule from decoded JSON: ``rule``, ``threshold``, ``weights``, ...

    Raises:
        ValueError: A value is of the wrong kind.
    """
    try:
        return FusionRule(
            name=values.get('rule', 'mean'),
            threshold=float(values.get('threshold', 0.5)),
            weights=values.get('weights'),
            min_component_mm3=float(values.get('min_component_mm3', 0.0)),
        )
    except TypeError as error:
        raise ValueError(f'rule {dict(values)} is not usable: {error}') from error


def _read_plane(plane: str, entry: Any, folder: Path) -> tuple[Path, tuple[Path, ...]]:
    get_plane_axis(plane)
    config = entry.get('config') if isinstance(entry, Mapping) else None
    names = entry.get('checkpoints') if isinstance(entry, Mapping) else None
    if isinstance(names, str):
        names = [names]
    if (
        not isinstance(config, str)
        or not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
    ):
        raise ValueError(
            f'{plane} is {entry!r}, expected {{"config": path, "checkpoints": [paths]}}'
        )
    return folder / config, tuple(folder / name for name in names)
