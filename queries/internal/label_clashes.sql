-- Rules that contradict each other on a feature: two of one group, or one that excludes a set that another names.
with alternatives as (
    select firing.sae_id, firing.feature, groups.name as about, list(distinct firing.rule order by firing.rule) as rules
    from firing
    join groups on groups.rule = firing.rule
    group by firing.sae_id, firing.feature, groups.name
    having count(distinct firing.rule) > 1
),
exclusions as (
    select firing.sae_id, firing.feature, null as about, [least(firing.rule, naming.rule), greatest(firing.rule, naming.rule)] as rules
    from firing
    join excluded_sets on excluded_sets.rule = firing.rule
    join firing as naming
        on naming.sae_id = firing.sae_id and naming.feature = firing.feature
        and naming.set_id = excluded_sets.set_id and naming.rule <> firing.rule and sign(naming.z) = sign(firing.z)
)
from alternatives union all by name from exclusions
