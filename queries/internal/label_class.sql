-- Features that a class rule fires on, with the values that made it fire.
insert into firing by name
select $rule as rule, feature_columns.sae_id, feature_columns.feature, /* values */ '' as said
from feature_columns
where /* where */ true
