-- Token sets with whether some SAE has a z for them.
select
    token_sets.set_id, token_sets.name, token_sets.phrase, token_sets.family,
    exists (
        from scores
        where scores.set_id = token_sets.set_id and scores.z_direction is not null
    ) as scored
from token_sets
order by token_sets.set_id
