-- Labels of an SAE or feature, of a kind, with a text, of a confidence.
select feature_labels.* exclude (sae_id, set_id)
from feature_labels
where
    ($sae is null or feature_labels.sae = $sae)
    and ($feature is null or feature_labels.feature = $feature)
    and ($kind is null or feature_labels.kind = $kind)
    and ($label is null or feature_labels.label = $label)
    and ($confidence is null or feature_labels.confidence = $confidence)
order by feature_labels.sae_id, feature_labels.feature, feature_labels.position
