-- Features with their SAE's names and their moments on the scale of random directions through the same unembedding.
create view feature_columns as
with nulls as (
    select
        moment_nulls.model_id, moment_nulls.processing, moment_nulls.d_eff,
        moment_nulls.kurtosis[list_position(moment_nulls.shares, 0.999)] as kurtosis_q999,
        moment_nulls.cos_var_ratio[list_position(moment_nulls.shares, 0.999)] as cos_var_q999
    from moment_nulls
)
select
    saes.name as sae, saes.hook_point, saes.layer, features.*,
    (features.kurtosis - 3) / (nulls.kurtosis_q999 - 3) as kurtosis_ratio,
    nulls.d_eff * features.cosine_variance as cos_var_ratio,
    nulls.d_eff * features.cosine_variance / nulls.cos_var_q999 as cos_var_null_ratio
from features
join saes on saes.sae_id = features.sae_id
left join nulls on nulls.model_id = saes.model_id and nulls.processing = saes.processing;

-- Labels with the name of their SAE and set, in the order of each feature's rules.
create view feature_labels as
select
    saes.name as sae, saes.layer, labels.feature, labels.position, labels.label, labels.kind, labels.direction,
    labels.confidence, labels.sentence, labels.rule, token_sets.name as set_name, given_sets.name as given,
    labels.z, labels.log10_q, labels.given_z, labels.es, labels.nes, labels.top_share, labels.evidence_tokens,
    labels.sae_id, labels.set_id
from labels
join saes on saes.sae_id = labels.sae_id
left join token_sets on token_sets.set_id = labels.set_id
left join token_sets as given_sets on given_sets.set_id = labels.given_id;

-- What the shape of its logit weights, its firing or an annotation makes of a feature: one row for each class it is in.
create view feature_classes as
select saes.name as sae, saes.layer, labels.feature, labels.label as class, labels.rule, labels.sentence, labels.sae_id
from labels
join saes on saes.sae_id = labels.sae_id
where labels.kind = 'class';

-- The class of each feature's shape by two presets of thresholds, whatever rules were used; NULL for none.
create view feature_shapes as
select
    feature_columns.sae, feature_columns.layer, feature_columns.feature,
    case
        when feature_columns.kurtosis_ratio > 5 and feature_columns.skewness > 0 then 'prediction'
        when feature_columns.kurtosis_ratio > 5 and feature_columns.skewness < 0 then 'suppression'
        when feature_columns.kurtosis_ratio <= 5 and feature_columns.cos_var_ratio > 2
            and feature_columns.cos_var_null_ratio > 1 then 'partition'
    end as random_directions,
    case
        when feature_columns.kurtosis > 10 and feature_columns.skewness > 0 then 'prediction'
        when feature_columns.kurtosis > 10 and feature_columns.skewness < 0 then 'suppression'
        when feature_columns.kurtosis <= 10 and feature_columns.cos_var_ratio > 3.84 then 'partition'
    end as published,
    feature_columns.sae_id
from feature_columns
