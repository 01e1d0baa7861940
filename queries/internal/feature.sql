-- One feature: moments, density, strongest tokens.
select models.name as model, saes.name as sae, saes.hook_point, saes.processing, features.*
from features
join saes using (sae_id)
join models using (model_id)
where saes.name = $sae and feature = $feature
