-- title: Features that promote one set beyond what promoting another implies
-- about: The conditional test: z of the part of A's direction that is orthogonal to B's.
-- param a text: set that is promoted, by name or phrase
-- param b text: set it is tested given
-- param q number = 0.05: false-discovery rate, of A and of A given B
-- example: tsea query run enriched_given -p a='past-tense-only verbs' -p b='participle-only verbs' -p q=0.01
select found.*, features.top_tokens[:6] as top_tokens
from specific($a, $b, q := $q) as found
join saes on saes.name = found.sae
join features on features.sae_id = saes.sae_id and features.feature = found.feature
order by found.z desc, found.sae, found.feature
