-- title: Features that pass the plain filter "A but not B" and fail the conditional test
-- about: What the filter alone would tell wrongly.
-- param a text: set that is promoted, by name or phrase
-- param b text: set that is not
-- param q number = 0.05: false-discovery rate
-- example: tsea query run confusable_features -p a='past-tense verbs' -p b='past participles'
with filtered as (from enriched($a, q := $q) anti join enriched($b, q := $q) using (sae, feature))
select filtered.*, given.z as z_given, features.top_tokens[:6] as top_tokens
from filtered
join conditional($a, $b) as given on given.sae = filtered.sae and given.feature = filtered.feature
join features on features.sae_id = given.sae_id and features.feature = given.feature
anti join specific($a, $b, q := $q) as beyond on beyond.sae = filtered.sae and beyond.feature = filtered.feature
order by filtered.z desc, filtered.sae, filtered.feature
