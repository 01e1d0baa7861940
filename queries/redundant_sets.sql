-- title: Pairs of sets that say nearly the same of any feature
-- about: null_corr is the correlation of their z over random directions.
-- param at_least number = 0.9: null_corr
-- example: tsea query run redundant_sets -p at_least=0.95
select distinct
    models.name as model, set_overlaps.processing, a.name as set_a, b.name as set_b, a.size as size_a, b.size as size_b,
    set_overlaps.intersection, set_overlaps.jaccard, set_overlaps.null_corr
from set_overlaps
join token_sets as a on a.set_id = least(set_overlaps.set_a, set_overlaps.set_b)
join token_sets as b on b.set_id = greatest(set_overlaps.set_a, set_overlaps.set_b)
join models on models.model_id = set_overlaps.model_id
where set_overlaps.null_corr >= $at_least and set_overlaps.set_a <> set_overlaps.set_b
order by set_overlaps.null_corr desc, set_a, set_b
