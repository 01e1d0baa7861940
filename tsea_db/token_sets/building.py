"""From definitions to token sets of a vocabulary."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from tsea_db.errors import TokenSetError
from tsea_db.token_sets import expressions
from tsea_db.token_sets.patterns import TIME_LIMIT, matching
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tsea_db.token_sets.definitions import Definition
    from tsea_db.vocabulary.tokenizers import Encode
    from tsea_db.vocabulary.vocabulary import Vocabulary


_CONTEXT = "x"  # text before a word, so that the word is split as it is within a sentence


@dataclass(frozen=True)
class Dropped:
    """An entry of a definition that did not become a member."""

    set_name: str
    entry: str
    reason: str


@dataclass(frozen=True)
class BuiltSets:
    """Token sets, and what a person should know of how they came about.

    Attributes:
        sets: In the order of their definitions.
        dropped: Entries that are no members.
        warnings: Sentences, each naming its set.
    """

    sets: list[TokenSet] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def build_sets(
    definitions: Sequence[Definition],
    vocabulary: Vocabulary,
    known: Iterable[TokenSet] = (),
    encode: Encode | None = None,
    *,
    shipped: bool = False,
) -> BuiltSets:
    """Build the sets that definitions describe.

    Args:
        definitions: One for each set.
        vocabulary: What the members are drawn from.
        known: Sets that expressions may name besides those defined here. A set of the same name and family is taken
            for an earlier version and may be defined again.
        encode: Splits a text into token ids; needed for words of several tokens.
        shipped: Whether the definitions are the library's own: their lists may match nothing, because vocabularies
            differ, and their patterns are known to end.

    Raises:
        TokenSetError: A definition cannot be used; names the set and what to do.
    """
    others = {token_set.name: token_set for token_set in known}
    _check_names_differ(definitions, others)
    trees = {d.name: expressions.parse(d.members[0], d.name) for d in definitions if d.kind == "expression"}
    needs = {d.name: expressions.names_in(trees[d.name]) if d.name in trees else [] for d in definitions}
    by_name = {definition.name: definition for definition in definitions}
    members = {name: token_set.token_ids for name, token_set in others.items()}
    source = _Source(vocabulary, encode, None if shipped else TIME_LIMIT)
    built, done = BuiltSets(), dict[str, TokenSet]()
    for name in _order(needs, members):
        definition = by_name[name]
        if name in trees:
            ids = expressions.evaluate(trees[name], members.__getitem__, len(vocabulary)).tolist()
        else:
            ids = _KINDS[definition.kind](definition, source, built)
        done[name] = _token_set(definition, ids)
        members[name] = done[name].token_ids
        if not ids and not shipped:
            _report_empty(definition, built)
    built.sets.extend(done[definition.name] for definition in definitions)
    return built


def _token_set(definition: Definition, ids: Iterable[int]) -> TokenSet:
    return TokenSet.of(
        ids,
        name=definition.name,
        family=definition.family,
        phrase=definition.phrase,
        definition=definition.definition,
        source=definition.source,
        version=definition.version,
        tags=definition.tags,
    )


def _check_names_differ(definitions: Sequence[Definition], others: Mapping[str, TokenSet]) -> None:
    for name, count in Counter(definition.name for definition in definitions).items():
        if count > 1:
            places = "; ".join(d.where for d in definitions if d.name == name)
            msg = f"{count} token sets are called {name!r} ({places}): rename all but one."
            raise TokenSetError(msg)
    for definition in definitions:
        other = others.get(definition.name)
        if other is not None and other.family != definition.family:
            msg = f"There is a token set {definition.name!r} already, in family {other.family!r}: choose another name."
            raise TokenSetError(msg)


def _order(needs: Mapping[str, list[str]], others: Mapping[str, object]) -> list[str]:
    """Return the names of the defined sets so that each comes after those its expression needs."""
    known = {*needs, *others}
    for name, needed in needs.items():
        for unknown in (needed_name for needed_name in needed if needed_name not in known):
            near = difflib.get_close_matches(unknown, known, n=3)
            hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "No set has a name like it."
            msg = f"Token set {name!r}: its expression names {unknown!r}, which does not exist. {hint}"
            raise TokenSetError(msg)
    graph = {name: [n for n in needed if n in needs] for name, needed in needs.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        msg = (
            f"The expressions of these token sets need each other in a circle: {cycle}. Define one without the others."
        )
        raise TokenSetError(msg) from error


def _report_empty(definition: Definition, built: BuiltSets) -> None:
    if definition.kind in {"words", "texts"}:
        reasons = {dropped.reason for dropped in built.dropped if dropped.set_name == definition.name}
        msg = (
            f"Token set {definition.name!r}: none of its {len(definition.members)} {definition.kind} is in this "
            f"vocabulary ({'; '.join(sorted(reasons))}). Check the spelling and the case, or give regex or ids."
        )
        raise TokenSetError(msg)
    built.warnings.append(f"Token set {definition.name!r} has no member in this vocabulary.")


class _Source(NamedTuple):
    """What members are found in and with."""

    vocabulary: Vocabulary
    encode: Encode | None
    regex_limit: float | None


def _ids_of_words(definition: Definition, source: _Source, built: BuiltSets) -> list[int]:
    """Look words up; words of several tokens go by ``definition.pieces``."""
    find = partial(source.vocabulary.ids_of_words, fold_case=definition.case == "any")
    found = {word: find([word]) for word in definition.members}
    ids = {i for word_ids in found.values() for i in word_ids}
    missing = [word for word, word_ids in found.items() if not word_ids]
    if definition.pieces == "skip":
        built.dropped.extend(Dropped(definition.name, word, "not a single token") for word in missing)
        return sorted(ids)
    if source.encode is None:
        msg = (
            f"Token set {definition.name!r}: pieces = {definition.pieces!r} needs the tokenizer, to split words; "
            'there is none here. Give the tokenizer, or leave pieces at "skip".'
        )
        raise TokenSetError(msg)
    fragments: set[int] = set()
    for word in missing:
        pieces = _pieces(word, source.encode)
        fragments.update(pieces[:1] if definition.pieces == "first" else pieces)
    if definition.pieces == "all" and fragments - ids:
        built.warnings.append(
            f"Token set {definition.name!r}: all pieces of {len(missing)} words add {len(fragments - ids)} fragments "
            f"to {len(ids)} whole words, and fragments are pieces of other words too."
        )
    return sorted(ids | fragments)


def _pieces(word: str, encode: Encode) -> list[int]:
    """Split a word as it is split within a sentence."""
    context = list(encode(_CONTEXT))
    whole = list(encode(f"{_CONTEXT} {word}"))
    return whole[len(context) :] if whole[: len(context)] == context else list(encode(f" {word}"))


def _ids_of_texts(definition: Definition, source: _Source, built: BuiltSets) -> list[int]:
    """Look exact texts up; spaces around a token do not count."""
    wanted = {text: source.vocabulary.ids_of_text(text) for text in definition.members}
    built.dropped.extend(
        Dropped(definition.name, text, "not a single token") for text, ids in wanted.items() if not ids
    )
    return [i for ids in wanted.values() for i in ids]


def _ids_of_regex(definition: Definition, source: _Source, _: BuiltSets) -> list[int]:
    """Match a pattern with what the definition says it is about; special tokens never match."""
    ids, texts = source.vocabulary.ordinary(definition.on)
    return matching(definition.members[0], ids, texts, definition.name, source.regex_limit)


def _ids_given(definition: Definition, source: _Source, _: BuiltSets) -> list[int]:
    n_tokens = len(source.vocabulary)
    outside = [i for i in definition.members if not 0 <= i < n_tokens]
    if outside:
        msg = (
            f"Token set {definition.name!r}: id {outside[0]} is outside the vocabulary, whose ids are 0 to "
            f"{n_tokens - 1} ({len(outside)} such ids)."
        )
        raise TokenSetError(msg)
    return list(definition.members)


_KINDS: dict[str, Callable[[Definition, _Source, BuiltSets], list[int]]] = {
    "words": _ids_of_words,
    "texts": _ids_of_texts,
    "regex": _ids_of_regex,
    "ids": _ids_given,
}
