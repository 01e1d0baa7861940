-- What is on top: members of the set among the strongest min(20, k) tokens of each feature, as tokens and as a share,
-- corrected for what chance would put there; of what fired, or of near misses. What is known already is left as it is.
insert into shares by name
with ends as (
    select distinct moved.sae_id, moved.feature, moved.set_id, sign(moved.z)::integer as way
    from /* moved */ firing as moved
    where
        moved.set_id is not null
        and not exists (
            from shares
            where shares.sae_id = moved.sae_id and shares.feature = moved.feature and shares.set_id = moved.set_id
        )
),
listed as (
    select
        ends.*, least(20, token_sets.size) as n, token_sets.size / models.d_vocab as chance,
        if(ends.way > 0, features.top_token_ids, features.bottom_token_ids)[: least(20, token_sets.size)] as token_ids,
        if(ends.way > 0, features.top_tokens, features.bottom_tokens)[: least(20, token_sets.size)] as tokens
    from ends
    join features on features.sae_id = ends.sae_id and features.feature = ends.feature
    join token_sets on token_sets.set_id = ends.set_id
    join models on models.model_id = token_sets.model_id
),
walked as (
    select
        listed.sae_id, listed.feature, listed.set_id, listed.way, listed.n, listed.chance,
        unnest(listed.token_ids) as token_id, unnest(listed.tokens) as text,
        generate_subscripts(listed.token_ids, 1) as place
    from listed
)
select
    walked.sae_id, walked.feature, walked.set_id, walked.way, any_value(walked.n) as n,
    (count(memberships.token_id) / any_value(walked.n) - any_value(walked.chance)) / (1 - any_value(walked.chance))
        as top_share,
    coalesce(list(walked.text order by walked.place) filter (memberships.token_id is not null), []) as tokens
from walked
left join memberships on memberships.set_id = walked.set_id and memberships.token_id = walked.token_id
group by walked.sae_id, walked.feature, walked.set_id, walked.way
