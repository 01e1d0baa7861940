-- Features that meet a composite rule on its first set (part 0) and on the others (parts 1 to $parts), but on none of
-- those it excludes (part -1).
insert into firing by name
with others as (
    select meeting.sae_id, meeting.feature
    from meeting
    where meeting.part > 0
    group by meeting.sae_id, meeting.feature
    having count(distinct meeting.part) = $parts
)
select
    $rule as rule, meeting.sae_id, meeting.feature, meeting.set_id, meeting.z_direction as z, meeting.log10_q, meeting.es,
    meeting.nes
from meeting
where
    meeting.part = 0
    and ($parts = 0 or exists (
        from others where others.sae_id = meeting.sae_id and others.feature = meeting.feature
    ))
    and not exists (
        from meeting as excluded
        where excluded.part = -1 and excluded.sae_id = meeting.sae_id and excluded.feature = meeting.feature
    )
    and /* where */ true
