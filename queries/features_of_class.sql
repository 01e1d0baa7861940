-- title: Features of a class
-- param class class: prediction, suppression, partition, dead, ...
-- param layer integer = null: only this layer
-- example: tsea query run features_of_class -p class=partition -p layer=2
select
    feature_classes.sae, feature_classes.feature, feature_classes.sentence, features.kurtosis, features.skewness,
    features.cosine_variance, features.top_tokens[:6] as top_tokens
from feature_classes
join features on features.sae_id = feature_classes.sae_id and features.feature = feature_classes.feature
where feature_classes.class = $class and ($layer is null or feature_classes.layer = $layer)
order by feature_classes.sae, features.kurtosis desc, feature_classes.feature
