-- The labels to store, in words: what fired, how sure it is, and the evidence.
with evident as (
    select
        firing.*, named_rules.name, named_rules.kind, named_rules.label,
        if(named_rules.kind = 'class', null, named_rules.direction) as direction, token_sets.phrase, given_sets.phrase as given_phrase,
        shares.top_share, shares.tokens, shares.n as n_strongest,
        case
            when named_rules.kind = 'class' then null
            when firing.log10_q < $high_log10_q and shares.top_share >= $high_share then 'high'
            when abs(firing.es) < $part_es or shares.top_share < $few_share then 'low'
            else 'medium'
        end as confidence,
        list_transform(shares.tokens, lambda token: if(trim(token, e' \t') = '' or token like e'%\n%',
            '"' || replace(token, e'\n', '\n') || '"', trim(token, e' \t'))) as words
    from firing
    join named_rules on named_rules.rule = firing.rule
    left join token_sets on token_sets.set_id = firing.set_id
    left join token_sets as given_sets on given_sets.set_id = firing.given_id
    left join shares
        on shares.sae_id = firing.sae_id and shares.feature = firing.feature and shares.set_id = firing.set_id
        and shares.way = sign(firing.z)
),
worded as (
    select
        evident.*,
        replace(replace(replace(evident.label, '{phrase}', coalesce(evident.phrase, '')),
            '{a}', coalesce(evident.phrase, '')), '{b}', coalesce(evident.given_phrase, '')) as label_text,
        list_filter(evident.words, lambda word, place: list_position(evident.words, word) = place)[:5] as first_words
    from evident
)
select
    worded.sae_id, worded.feature,
    row_number() over (
        partition by worded.sae_id, worded.feature
        order by worded.kind = 'set', worded.rule * (worded.kind <> 'set')::integer, -abs(worded.z), worded.set_id,
            worded.rule, worded.given_id, worded.direction
    )::integer as position,
    worded.name as rule, worded.kind, worded.label_text as label, worded.direction, worded.confidence, worded.set_id,
    worded.given_id, worded.z, worded.log10_q, worded.given_z, worded.given_log10_q, worded.es, worded.nes,
    worded.top_share::float as top_share, worded.tokens as evidence_tokens,
    case
        when worded.kind = 'class' then worded.label_text || if(worded.said = '', '', ': ' || worded.said)
        else case
            when worded.confidence = 'low' and abs(worded.es) < $part_es then worded.direction || ' part of '
            when worded.confidence = 'low' then if(worded.direction = 'promotes', 'shifts up ', 'shifts down ')
            else worded.direction || ' '
        end || worded.label_text || if(
            len(worded.first_words) = 0,
            printf(' (none among its %s %d tokens)', if(worded.direction = 'promotes', 'top', 'bottom'), worded.n_strongest),
            ': ' || array_to_string(worded.first_words, ', ')
        )
    end as sentence,
    $rule_set_hash as rule_set_hash
from worded
order by worded.sae_id, worded.feature, position
