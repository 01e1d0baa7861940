-- Features that meet a composite rule on its first set, and on that set given another one.
insert into firing by name
select
    $rule as rule, meeting.sae_id, meeting.feature, meeting.set_id, given.given_id, meeting.z_direction as z,
    meeting.log10_q, meeting.es, meeting.nes, given.z as given_z, given.log10_q as given_log10_q
from composed as meeting
join conditional_q($set_a, $set_b, q := 1.0) as given
    on given.sae_id = meeting.sae_id and given.feature = meeting.feature and given.set_id = meeting.set_id
where given.z * $sign > 0 and /* given */ true and /* where */ true
