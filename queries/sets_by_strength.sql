-- title: Sets by how strongly the features of an SAE promote or suppress them
-- param sae sae: name of the SAE
-- param q number = 0.05: false-discovery rate
-- example: tsea query run sets_by_strength -p sae=blocks.3.hook_resid_post
select
    token_sets.name as set_name, token_sets.phrase, token_sets.size,
    count(*) filter (scores.log10_q < log10($q) and scores.z_direction > 0) as promoting,
    count(*) filter (scores.log10_q < log10($q) and scores.z_direction < 0) as suppressing,
    max(scores.z_direction) as highest_z, arg_max(scores.feature, scores.z_direction) as highest_feature,
    min(scores.z_direction) as lowest_z, arg_min(scores.feature, scores.z_direction) as lowest_feature
from saes
join scores on scores.sae_id = saes.sae_id
join token_sets on token_sets.set_id = scores.set_id
where saes.name = $sae
group by token_sets.set_id, token_sets.name, token_sets.phrase, token_sets.size
order by promoting + suppressing desc, highest_z desc
