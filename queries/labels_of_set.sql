-- title: Features that a set names
-- param set text: set, by name or phrase
-- example: tsea query run labels_of_set -p set=gerunds
select
    feature_labels.sae, feature_labels.feature, feature_labels.direction, feature_labels.confidence, feature_labels.z,
    feature_labels.log10_q, feature_labels.es, feature_labels.nes, feature_labels.top_share, feature_labels.sentence
from named_sets($set) as named
join feature_labels on feature_labels.set_id = named.set_id
order by abs(feature_labels.z) desc, feature_labels.sae, feature_labels.feature
