-- Whether the stored labels, near misses and rules are exactly the new ones.
select
    (select count(*) from labels) = (select count(*) from fresh_labels)
    and (select count(*) from near_misses) = (select count(*) from fresh_near_misses)
    and not exists (
        select * exclude (evidence_tokens) from fresh_labels except select * exclude (evidence_tokens) from labels
    )
    and not exists (from fresh_near_misses except from near_misses)
    and exists (from rule_sets where rule_sets.content_hash = $rule_set_hash) as unchanged
