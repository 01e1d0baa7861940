-- title: Features enriched for one set but not for another, as a plain filter
-- about: Misleads where the two sets have nearly the same direction; then ask enriched_given.
-- param a text: set that is promoted, by name or phrase
-- param b text: set that is not
-- param q number = 0.05: false-discovery rate
-- example: tsea query run enriched_not -p a='past-tense verbs' -p b='past participles'
from enriched($a, q := $q) anti join enriched($b, q := $q) using (sae, feature)
order by z desc, sae, feature
