-- One SAE's scores: normal z with one in a hundred moved by six, p and q as an ingest would store them.
insert into scores by name
with drawn as materialized (
    select
        sets.set_id, features.feature,
        (sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())
            + if(random() < $planted, if(random() < 0.7, 6, -6), 0))::float as z_direction,
        random() as noise
    from range($n_sets) as sets (set_id), range($n_features) as features (feature)
),
tested as (
    select drawn.*, log10_two_sided_p(drawn.z_direction) as log10_p from drawn
),
ranked as (
    select
        tested.*,
        tested.log10_p + log10($n_features)
            - log10(row_number() over (partition by tested.set_id order by tested.log10_p)) as log10_adjusted
    from tested
),
controlled as (
    select ranked.*, least(0, min(ranked.log10_adjusted) over (
        partition by ranked.set_id order by ranked.log10_p desc rows between unbounded preceding and current row
    )) as log10_q
    from ranked
)
select
    $sae_id::integer as sae_id, controlled.set_id::integer as set_id, controlled.feature::integer as feature,
    greatest(-1, least(1, controlled.z_direction * 0.12 + (controlled.noise - 0.5) * 0.3))::float as es,
    (1 + controlled.noise * 50000)::integer as peak_rank, controlled.z_direction, controlled.log10_p::float as log10_p,
    controlled.log10_q::float as log10_q, (controlled.log10_p * 0.9)::float as log10_p_es,
    (controlled.log10_p * 3)::float as log10_p_token
from controlled
order by controlled.set_id, controlled.feature
