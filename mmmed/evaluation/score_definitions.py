"""What every number of the evaluator means: the words of its tables and pages.

Not here: computing any of them.
"""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class MetricDefinition:
    """One column of ``cases.csv``.

    Args:
        title: For people.
        unit: ``''`` for shares and counts.
        best: ``'high'``, ``'low'``, ``'zero'``, or ``''`` where it is no quality.
        text: The definition in a sentence.
    """

    title: str
    unit: str
    best: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """Fields by name."""
        return asdict(self)


METRICS = {
    'dice': MetricDefinition('Dice', '', 'high', '2 TP / (2 TP + FP + FN), in voxels'),
    'iou': MetricDefinition('IoU', '', 'high', 'TP / (TP + FP + FN), in voxels'),
    'precision': MetricDefinition(
        'Precision', '', 'high', 'TP / (TP + FP): share of the prediction that is right'
    ),
    'recall': MetricDefinition(
        'Recall', '', 'high', 'TP / (TP + FN): share of the reference that was found'
    ),
    'specificity': MetricDefinition(
        'Specificity',
        '',
        'high',
        'TN / (TN + FP): share of the background left alone; depends on the field of '
        'view',
    ),
    'surface_dice': MetricDefinition(
        'Surface Dice',
        '',
        'high',
        'share of both surfaces within the tolerance of the other, by area',
    ),
    'hausdorff_mm': MetricDefinition(
        'Hausdorff distance', 'mm', 'low', 'greatest distance between the surfaces'
    ),
    'hausdorff95_mm': MetricDefinition(
        'HD95',
        'mm',
        'low',
        'distance within which 95 % of the area of a surface lies from the other; the '
        'greater of both directions',
    ),
    'average_surface_distance_mm': MetricDefinition(
        'ASSD',
        'mm',
        'low',
        'mean distance between the surfaces, both directions together, by area',
    ),
    'target_volume_ml': MetricDefinition(
        'Reference volume', 'ml', '', 'volume in the reference'
    ),
    'pred_volume_ml': MetricDefinition(
        'Predicted volume', 'ml', '', 'volume in the prediction'
    ),
    'volume_difference_ml': MetricDefinition(
        'Volume difference', 'ml', 'zero', 'predicted minus reference volume'
    ),
    'absolute_volume_difference_ml': MetricDefinition(
        'Absolute volume difference', 'ml', 'low', 'size of the volume difference'
    ),
    'relative_volume_difference': MetricDefinition(
        'Relative volume difference',
        '',
        'zero',
        'predicted minus reference volume, over the reference volume; undefined where '
        'the reference is empty',
    ),
    'target_lesions': MetricDefinition(
        'Reference lesions', '', '', 'connected components of the reference'
    ),
    'pred_lesions': MetricDefinition(
        'Predicted lesions', '', '', 'connected components of the prediction'
    ),
    'found_lesions': MetricDefinition(
        'Lesions found', '', '', 'reference lesions found by the matching rule: TP'
    ),
    'missed_lesions': MetricDefinition(
        'Lesions missed', '', 'low', 'reference lesions not found: FN'
    ),
    'false_positive_lesions': MetricDefinition(
        'False-positive lesions',
        '',
        'low',
        'predicted lesions that are none by the matching rule: FP; the mean is per '
        'scan',
    ),
    'lesion_count_difference': MetricDefinition(
        'Lesion count difference', '', 'zero', 'predicted minus reference lesions'
    ),
    'lesion_f1': MetricDefinition(
        'Lesion F1', '', 'high', 'TP / (TP + (FP + FN) / 2), in lesions'
    ),
    'lesion_sensitivity': MetricDefinition(
        'Lesion sensitivity', '', 'high', 'TP / (TP + FN), in lesions'
    ),
    'lesion_precision': MetricDefinition(
        'Lesion precision', '', 'high', 'TP / (TP + FP), TP in reference lesions'
    ),
}

COMPARED = tuple(name for name, one in METRICS.items() if one.best in ('high', 'low'))

RULES = {
    'case': 'one row per case and label; n is the number of cases in a mean',
    'empty': (
        'both sides empty: left out of means (null) or the value of empty_policy, and '
        'always counted; one side empty: the value of empty_policy, where a score of 0 '
        'is a distance of the image diagonal; volumes and counts are exact numbers and '
        'follow no policy'
    ),
    'pred_missing': (
        'a case without a prediction is scored as an empty prediction and never gets '
        'credit for an empty reference'
    ),
    'overlap': (
        'a reference lesion is found if a predicted voxel lies in it; a predicted '
        'lesion is a false alarm if none of its voxels lies in the reference'
    ),
    'greedy': 'one-to-one pairs of lesions by falling IoU, each at least min_iou',
    'optimal': 'one-to-one pairs of IoU >= min_iou with the greatest sum of IoU',
    'pooled': 'score of the counts summed over all cases; large structures dominate',
    'strata': (
        'reference lesions by their volume in mm3, or by the radius in mm of the ball '
        'of that volume, false alarms by theirs, pooled over cases; a lesion on a '
        'bound belongs to the stratum above it'
    ),
    'keep_near': (
        'predictions were post-processed before they were scored: the piece with the '
        'most of an organ, and lesions with a voxel within so many mm of it'
    ),
    'slices': (
        'slices with the label in the reference, and those without it, apart; means '
        'over slices, intervals over cases or patients'
    ),
    'interval': (
        'percentile bootstrap over cases, or over patients where they are known'
    ),
    'comparison': (
        'a: PRED, b: the compared folder; difference a minus b in cases where both '
        'are defined; win: a is better; Wilcoxon signed-rank test, two-sided, zero '
        'differences left out; no correction for several tests'
    ),
}
