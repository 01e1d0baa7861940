-- A z of the random-direction null and the cosine with the set's Delta that it stands for, either way.
-- t = cosine * sqrt((d_eff - 1) / (1 - cosine^2)) has d_eff - 1 degrees of freedom; its normal equivalent is by
-- G. W. Hill's expansions (Communications of the ACM 13, 1970, algorithms 395 and 396), with y = a * ln(1 + t^2 / (d_eff - 1)).
create macro hill_b(d_eff) as 48e0 * (d_eff - 1.5e0) * (d_eff - 1.5e0);

create macro z_from_y(y, b) as
    sqrt(y) * (((((-0.4 * y - 3.3) * y - 24) * y - 85.5) / (0.8 * y * y + 100 + b) + y + 3) / b + 1);

create macro y_from_cosine(cosine, d_eff) as (1.5e0 - d_eff) * ln(greatest(1 - cosine * cosine, 1.490116e-8));

create macro root_y_from_z(z, b) as
    z * (((((0.4 * z * z + 6.3) * z * z + 36) * z * z + 94.5) / (b + 0.8 * z * z * z * z + 96) - z * z - 3) / b + 1);

create macro z_from_cosine(cosine, d_eff) as sign(cosine) * z_from_y(y_from_cosine(cosine, d_eff), hill_b(d_eff));

create macro cosine_from_z(z, d_eff) as
    sign(z) * sqrt(1 - exp(-root_y_from_z(z, hill_b(d_eff)) * root_y_from_z(z, hill_b(d_eff)) / (d_eff - 1.5e0)));

-- log10 of the two-sided p of a z, without underflow: the complementary error function by the Chebyshev fit of Press et
-- al., Numerical Recipes, section 6.2 (relative error 1.2e-7 everywhere).
create macro log10_erfc(x, t) as
    (ln(t) - x * x - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))))) / ln(10);

create macro log10_two_sided_p(z) as log10_erfc(abs(z::double) / sqrt(2), 1.0 / (1.0 + abs(z::double) / sqrt(8)));

-- Ids of the token sets with a name or phrase, one for each model; an unknown one is an error that says so.
create macro named_sets(set_name) as table (
    select token_sets.set_id, token_sets.model_id
    from token_sets
    where token_sets.name = set_name or token_sets.phrase = set_name
    union all
    select error('There is no token set called ' || set_name || '. Its name or its phrase is in token_sets.')::integer, 0
    where not exists (from token_sets where token_sets.name = set_name or token_sets.phrase = set_name)
);

-- Features that promote a set: their direction is nearer to the set's than those of random directions are.
create macro enriched(set_name, q := 0.05) as table (
    select
        saes.name as sae, scores.feature, scores.z_direction as z, scores.log10_q, scores.es,
        (scores.es / set_nulls.mean_abs_es)::float as nes
    from scores
    join named_sets(set_name) as named on named.set_id = scores.set_id
    join saes on saes.sae_id = scores.sae_id
    left join set_nulls on set_nulls.set_id = scores.set_id and set_nulls.processing = saes.processing
    where scores.z_direction > 0 and scores.log10_q < log10(q)
    order by scores.z_direction desc, saes.name, scores.feature
);

-- Features that suppress a set.
create macro suppressed(set_name, q := 0.05) as table (
    select
        saes.name as sae, scores.feature, scores.z_direction as z, scores.log10_q, scores.es,
        (scores.es / set_nulls.mean_abs_es)::float as nes
    from scores
    join named_sets(set_name) as named on named.set_id = scores.set_id
    join saes on saes.sae_id = scores.sae_id
    left join set_nulls on set_nulls.set_id = scores.set_id and set_nulls.processing = saes.processing
    where scores.z_direction < 0 and scores.log10_q < log10(q)
    order by scores.z_direction, saes.name, scores.feature
);

-- z of one set given another for every feature of every SAE: the part of A's direction that is orthogonal to B's. No rows
-- where the two have the same direction.
create macro conditional(set_a, set_b) as table (
    with pairs as (
        select
            overlap.set_a, overlap.set_b, overlap.processing, overlap.null_corr as r, moment_nulls.d_eff,
            hill_b(moment_nulls.d_eff) as b
        from set_overlaps as overlap
        join named_sets(set_a) as a on a.set_id = overlap.set_a
        join named_sets(set_b) as b on b.set_id = overlap.set_b
        join moment_nulls on moment_nulls.model_id = overlap.model_id and moment_nulls.processing = overlap.processing
        where 1 - overlap.null_corr * overlap.null_corr > 1.490116e-8
    ),
    of_a as materialized (
        select scores.sae_id, scores.feature, scores.z_direction::double as z, scores.log10_q, scores.es, scores.set_id
        from scores
        join named_sets(set_a) as named on named.set_id = scores.set_id
    ),
    of_b as materialized (
        select scores.sae_id, scores.feature, scores.z_direction::double as z, scores.set_id
        from scores
        join named_sets(set_b) as named on named.set_id = scores.set_id
    ),
    roots as (
        select
            of_a.sae_id, saes.name as sae, of_a.feature, of_a.z as z_a, of_b.z as z_b, of_a.log10_q as log10_q_a, of_a.es,
            of_a.set_id, of_b.set_id as given_id, pairs.r, pairs.d_eff, pairs.b,
            root_y_from_z(of_a.z, pairs.b) as root_a, root_y_from_z(of_b.z, pairs.b) as root_b
        from of_a
        join of_b on of_b.sae_id = of_a.sae_id and of_b.feature = of_a.feature
        join saes on saes.sae_id = of_a.sae_id
        join pairs on pairs.set_a = of_a.set_id and pairs.set_b = of_b.set_id and pairs.processing = saes.processing
    ),
    orthogonal as (
        select
            roots.*,
            (sign(roots.root_a) * sqrt(1 - exp(roots.root_a * roots.root_a / (1.5e0 - roots.d_eff)))
            - roots.r * sign(roots.root_b) * sqrt(1 - exp(roots.root_b * roots.root_b / (1.5e0 - roots.d_eff))))
                / sqrt(1 - roots.r * roots.r) as cosine
        from roots
    ),
    logarithms as (
        select orthogonal.*, y_from_cosine(orthogonal.cosine, orthogonal.d_eff) as y from orthogonal
    )
    select
        logarithms.sae_id, logarithms.sae, logarithms.feature, logarithms.z_a, logarithms.z_b, logarithms.log10_q_a,
        logarithms.es, logarithms.set_id, logarithms.given_id,
        sign(logarithms.cosine) * z_from_y(logarithms.y, logarithms.b) as z
    from logarithms
);

-- q of A given B for every feature, over the features of one SAE. With m of n features below p = q, no p above q * m / n can
-- have a q below q nor make another one's smaller, so that those need no rank and are left out.
create macro conditional_q(set_a, set_b, q := 0.05) as table (
    with halves as (
        select given.*, 1 / (1 + abs(given.z) / sqrt(8e0)) as t, abs(given.z) / sqrt(2e0) as x
        from conditional(set_a, set_b) as given
    ),
    tested as materialized (
        select halves.* exclude (t, x), log10_erfc(halves.x, halves.t) as log10_p from halves
    ),
    families as (
        select
            tested.sae_id, log10(count(*)) as log10_n,
            log10(greatest(1, count(*) filter (tested.log10_p <= log10(q)))) as log10_m
        from tested
        group by tested.sae_id
    ),
    ranked as (
        select
            tested.*,
            tested.log10_p + families.log10_n
                - log10(count(*) over (partition by tested.sae_id order by tested.log10_p)) as log10_adjusted
        from tested
        join families on families.sae_id = tested.sae_id
        where tested.log10_p <= log10(q) + families.log10_m - families.log10_n
    )
    select ranked.* exclude (log10_adjusted), least(0, min(ranked.log10_adjusted) over (
        partition by ranked.sae_id order by ranked.log10_p desc
        range between unbounded preceding and current row
    )) as log10_q
    from ranked
);

-- Features that promote A beyond what promoting B implies: q of A, and q of A given B, both below q.
create macro specific(set_a, set_b, q := 0.05) as table (
    select given.sae, given.feature, given.z, given.log10_q, given.z_a, given.z_b, given.log10_q_a, given.es
    from conditional_q(set_a, set_b, q := q) as given
    where given.z > 0 and given.log10_q < log10(q) and given.z_a > 0 and given.log10_q_a < log10(q)
    order by given.z desc, given.sae, given.feature
);

-- Every set of one feature, the most promoted first.
create macro profile(sae, feature) as table (
    select
        token_sets.name as set_name, token_sets.phrase, token_sets.family, token_sets.size,
        scores.z_direction as z, scores.log10_q, scores.es, (scores.es / set_nulls.mean_abs_es)::float as nes,
        scores.peak_rank, set_nulls.decodability
    from saes
    join scores on scores.sae_id = saes.sae_id
    join token_sets on token_sets.set_id = scores.set_id
    left join set_nulls on set_nulls.set_id = scores.set_id and set_nulls.processing = saes.processing
    where saes.name = sae and scores.feature = feature
    order by scores.z_direction desc nulls last, token_sets.set_id
);

-- False-discovery rate over all features and sets of one SAE: which (feature, set) pairs does it have?
create macro global_q(sae, q := 0.05) as table (
    with family as (
        select scores.set_id, scores.feature, scores.z_direction, scores.log10_p, saes.sae_id
        from saes
        join scores on scores.sae_id = saes.sae_id
        where saes.name = sae and scores.log10_p is not null
    ),
    size as (select count(*) as n from family),
    ranked as (
        select
            family.*,
            family.log10_p + log10(size.n) - log10(count(*) over (order by family.log10_p)) as log10_adjusted
        from family, size
        where family.log10_p < log10(q)
    ),
    controlled as (
        select ranked.*, min(ranked.log10_adjusted) over (
            order by ranked.log10_p desc range between unbounded preceding and current row
        ) as log10_q
        from ranked
    )
    select controlled.feature, token_sets.name as set_name, token_sets.phrase, controlled.z_direction as z, controlled.log10_q
    from controlled
    join token_sets on token_sets.set_id = controlled.set_id
    where controlled.log10_q < log10(q)
    order by controlled.log10_q, controlled.feature, token_sets.set_id
)
