-- title: Sets that hold a token
-- param token token: its text, with the leading space if it has one
-- example: tsea query run sets_of_token -p token=' began'
select models.name as model, tokens.token_id, tokens.text, token_sets.name as set_name, token_sets.phrase, token_sets.size
from tokens
join models on models.model_id = tokens.model_id
join memberships on memberships.token_id = tokens.token_id
join token_sets on token_sets.set_id = memberships.set_id and token_sets.model_id = tokens.model_id
where tokens.text = $token
order by models.model_id, tokens.token_id, token_sets.set_id
