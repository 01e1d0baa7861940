-- title: Features like this one, by the profile of their scores
-- about: Cosine of the z of all sets, over the features of one SAE.
-- param sae sae: SAE of the feature
-- param feature integer: its number
-- param among sae = null: SAE to look in, of the same model; the feature's own by default
-- param limit integer = 20: features shown
-- example: tsea query run similar_features -p sae=blocks.3.hook_resid_post -p feature=394 -p limit=5
with asked as (
    select scores.set_id, scores.z_direction::double as z
    from scores
    join saes on saes.sae_id = scores.sae_id
    where saes.name = $sae and scores.feature = $feature and scores.z_direction is not null
),
compared as (
    select
        scores.sae_id, scores.feature,
        sum(scores.z_direction * asked.z)
            / sqrt(sum(scores.z_direction::double * scores.z_direction) * sum(asked.z * asked.z)) as similarity
    from saes
    join scores on scores.sae_id = saes.sae_id
    join asked on asked.set_id = scores.set_id
    where saes.name = coalesce($among, $sae)
    group by scores.sae_id, scores.feature
    order by similarity desc
    limit $limit
)
select saes.name as sae, compared.feature, compared.similarity, features.top_tokens[:6] as top_tokens
from compared
join saes on saes.sae_id = compared.sae_id
join features on features.sae_id = compared.sae_id and features.feature = compared.feature
order by compared.similarity desc, compared.feature
