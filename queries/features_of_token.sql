-- title: Features with a token among their twenty strongest, at either end
-- param token token: its text, with the leading space if it has one
-- param limit integer = 100: features shown
-- example: tsea query run features_of_token -p token=' began'
with listed as (
    select features.*, list_position(features.top_tokens, $token) as top_place,
        list_position(features.bottom_tokens, $token) as bottom_place
    from features
    where list_contains(features.top_tokens, $token) or list_contains(features.bottom_tokens, $token)
)
select
    saes.name as sae, listed.feature, if(listed.top_place is null, 'bottom', 'top') as at_the,
    coalesce(listed.top_place, listed.bottom_place) as place,
    if(listed.top_place is null, listed.bottom_logits[listed.bottom_place], listed.top_logits[listed.top_place]) as logit_weight,
    if(listed.top_place is null, listed.bottom_tokens, listed.top_tokens)[:6] as strongest
from listed
join saes on saes.sae_id = listed.sae_id
order by place, abs(logit_weight) desc, saes.sae_id, listed.feature
limit $limit
