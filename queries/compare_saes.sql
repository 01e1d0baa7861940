-- title: Sets promoted in one SAE against another
-- param a sae: name of an SAE
-- param b sae: name of another
-- param q number = 0.05: false-discovery rate
-- example: tsea query run compare_saes -p a=blocks.1.hook_resid_pre -p b=blocks.3.hook_resid_post
with counted as (
    select
        saes.name as sae, scores.set_id, count(*) filter (scores.z_direction > 0 and scores.log10_q < log10($q)) as promoting,
        max(scores.z_direction) as highest_z
    from saes
    join scores on scores.sae_id = saes.sae_id
    where saes.name in ($a, $b)
    group by saes.name, scores.set_id
)
select
    token_sets.name as set_name, token_sets.phrase, token_sets.size, first.promoting as promoting_a,
    second.promoting as promoting_b, first.highest_z as highest_z_a, second.highest_z as highest_z_b
from counted as first
join counted as second on second.set_id = first.set_id and second.sae = $b
join token_sets on token_sets.set_id = first.set_id
where first.sae = $a
order by abs(first.promoting - second.promoting) desc, token_sets.set_id
