-- Of the rules of one group only the first that fired on a feature keeps its label.
delete from firing
where exists (
    from clashes
    where
        clashes.sae_id = firing.sae_id and clashes.feature = firing.feature and clashes.about is not null
        and list_contains(clashes.rules[2:], firing.rule)
)
