-- title: Labels by how many features have them
-- param confidence text = null: only high, medium or low
-- example: tsea query run label_counts -p confidence=high
select
    feature_labels.kind, feature_labels.direction, feature_labels.label, count(*) as features,
    count(distinct feature_labels.sae) as saes, any_value(feature_labels.sentence order by abs(feature_labels.z) desc) as strongest
from feature_labels
where $confidence is null or feature_labels.confidence = $confidence
group by feature_labels.kind, feature_labels.direction, feature_labels.label
order by features desc, feature_labels.label, feature_labels.direction
