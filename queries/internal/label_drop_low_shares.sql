-- Take back what a rule fired on where too few, or too many, members are on top.
delete from firing
where firing.rule = $rule and not exists (
    from shares
    where
        shares.sae_id = firing.sae_id and shares.feature = firing.feature and shares.set_id = firing.set_id
        and shares.way = sign(firing.z) and /* where */ true
)
