-- title: Features that never fire, with what they would promote
-- param sae sae = null: only this SAE
-- example: tsea query run dead_features
select
    saes.name as sae, features.feature, features.log10_density, features.decoder_norm, features.kurtosis,
    features.top_tokens[:6] as top_tokens
from features
join saes on saes.sae_id = features.sae_id
where features.dead and ($sae is null or saes.name = $sae)
order by saes.sae_id, features.feature
