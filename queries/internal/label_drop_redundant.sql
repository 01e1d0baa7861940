-- Sets that a feature's stronger sets explain do not name it.
delete from firing
where
    firing.rule in (select named_rules.rule from named_rules where named_rules.kind = 'set')
    and exists (
        from redundant
        where
            redundant.sae_id = firing.sae_id and redundant.feature = firing.feature
            and redundant.set_id = firing.set_id
    )
