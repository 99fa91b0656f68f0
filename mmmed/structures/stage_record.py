"""StageRecord: what one stage of a cascade decided about a series, and why.

Not here: deciding (``mmmed.inference.cascade``), files that hold it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class StageRecord:
    """One stage on one series, in plain values that JSON carries.

    Args:
        name: Name of the stage, e.g. ``'anatomy'``.
        model: What computed it, e.g. ``'efficientvit_m5'``; empty if none ran.
        checkpoint_sha256: Of its file of weights; None if none was loaded.
        class_map: Class names, in the order of the network's outputs.
        probs: Mean probability over slices, by class name; empty where a stage gives
            a mask.
        label: Class that it decided for; None without classes.
        threshold: Least probability of a decision, or of a voxel; None if unused.
        accepted: Whether the series may go on.
        reason: One sentence: why it was accepted, rejected or left undecided.
        n_slices: Slices that were looked at.
        seconds: Wall time.
        details: Further facts, e.g. which slices were kept, by name.
    """

    name: str
    model: str
    checkpoint_sha256: str | None
    class_map: tuple[str, ...]
    probs: Mapping[str, float]
    label: str | None
    threshold: float | None
    accepted: bool
    reason: str
    n_slices: int
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The values as JSON holds them; probabilities to six decimals."""
        values = asdict(self)
        values['class_map'] = list(self.class_map)
        values['probs'] = {k: round(float(v), 6) for k, v in self.probs.items()}
        values['seconds'] = round(self.seconds, 3)
        return values
