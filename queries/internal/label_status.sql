-- The rules of the stored labels, how many features a set names, and whether scores have changed since.
select
    rule_sets.title, rule_sets.source, rule_sets.preset, rule_sets.labelled_at,
    (select count(*) from (select distinct sae_id, feature from labels where kind <> 'class')) as named,
    (select count(features.std) from features) as scored,
    exists (from ingest_runs where ingest_runs.finished_at > rule_sets.labelled_at) as outdated
from rule_sets
