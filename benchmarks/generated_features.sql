-- One SAE's features: of the strongest tokens, half are members of the set that the feature moves most.
insert into features by name
with strongest as (
    select
        scores.feature, arg_max(scores.set_id, scores.z_direction) as promoted,
        arg_min(scores.set_id, scores.z_direction) as suppressed
    from scores
    where scores.sae_id = $sae_id
    group by scores.feature
),
listed as (
    select
        strongest.feature,
        list_transform(range(20), lambda j: (if(j % 2 = 0, promoted * 131 + j * j * 17 + j * 7919,
            feature * 13 + j * 401) % $d_vocab)::integer) as top_token_ids,
        list_transform(range(20), lambda j: (if(j % 2 = 0, suppressed * 131 + j * j * 17 + j * 7919,
            feature * 17 + j * 409) % $d_vocab)::integer) as bottom_token_ids
    from strongest
)
select
    $sae_id::integer as sae_id, listed.feature, 0.0 as mean, 1.0 as std, random() - 0.5 as skewness,
    3 + exp(3 * random()) - 1 as kurtosis, (0.7 + random()) / 767 as cosine_variance, 1.0 as decoder_norm,
    (-6 * random())::float as log10_density, random() < 0.02 as dead, false as zero_direction,
    listed.top_token_ids, list_transform(listed.top_token_ids, lambda token_id: ' token' || token_id) as top_tokens,
    list_transform(range(20), lambda j: (4 - j / 10)::float) as top_logits,
    listed.bottom_token_ids, list_transform(listed.bottom_token_ids, lambda token_id: ' token' || token_id) as bottom_tokens,
    list_transform(range(20), lambda j: (j / 10 - 4)::float) as bottom_logits
from listed
order by listed.feature
