-- Token sets with whether some SAE was scored for them.
select
    token_sets.set_id, token_sets.name, token_sets.phrase, token_sets.family,
    exists (from sae_sets where sae_sets.set_id = token_sets.set_id and sae_sets.n_scored > 0) as scored
from token_sets
order by token_sets.set_id
