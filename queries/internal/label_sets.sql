-- Features and sets that a set rule fires on, or a composite one without a set given.
insert into firing by name
select
    $rule as rule, meeting.sae_id, meeting.feature, meeting.set_id, meeting.z_direction as z, meeting.log10_q, meeting.es,
    meeting.nes
from composed as meeting
where /* where */ true
