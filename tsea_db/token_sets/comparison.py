"""What is different between two libraries of token sets, and what is questionable in one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.token_sets.lexicon import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tsea_db.token_sets.token_set import TokenSet
    from tsea_db.vocabulary.vocabulary import Vocabulary

_MEANING = ("phrase", "definition", "source", "family")


@dataclass(frozen=True)
class SetChange:
    """A set that two libraries do not have alike.

    Attributes:
        name: Of the set.
        kind: ``added``, ``removed``, ``members`` (other members) or ``description`` (the same members).
        gained: Ids that only the new set has.
        lost: Ids that only the old set has.
        fields: What else is different ("phrase", "definition", "source", "family").
    """

    name: str
    kind: str
    gained: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    fields: tuple[str, ...] = ()


def diff(old: Iterable[TokenSet], new: Iterable[TokenSet]) -> list[SetChange]:
    """Compare two libraries of one vocabulary, by name: the new one's order, then what it has no more."""
    before = {token_set.name: token_set for token_set in old}
    after = {token_set.name: token_set for token_set in new}
    changes = [_change(before.get(name), token_set) for name, token_set in after.items()]
    removed = [
        SetChange(name, "removed", lost=tuple(token_set.token_ids.tolist()))
        for name, token_set in before.items()
        if name not in after
    ]
    return [change for change in changes if change is not None] + removed


def _change(old: TokenSet | None, new: TokenSet) -> SetChange | None:
    if old is None:
        return SetChange(new.name, "added", gained=tuple(new.token_ids.tolist()))
    gained = tuple(np.setdiff1d(new.token_ids, old.token_ids).tolist())
    lost = tuple(np.setdiff1d(old.token_ids, new.token_ids).tolist())
    fields = tuple(field for field in _MEANING if getattr(old, field) != getattr(new, field))
    if not gained and not lost and not fields:
        return None
    return SetChange(new.name, "members" if gained or lost else "description", gained, lost, fields)


def versioned(old: Iterable[TokenSet], new: Iterable[TokenSet]) -> list[TokenSet]:
    """Return ``new`` with a higher version wherever it differs from the set of the same name in ``old``.

    A version that its author raised already is kept.
    """
    before = {token_set.name: token_set for token_set in old}
    result = []
    for token_set in new:
        earlier = before.get(token_set.name)
        changed = earlier is not None and _change(earlier, token_set) is not None
        floor = earlier.version + changed if earlier is not None else token_set.version
        result.append(replace(token_set, version=max(token_set.version, floor)))
    return result


@dataclass(frozen=True)
class Finding:
    """Something questionable about a set.

    Attributes:
        set_name: Of the set.
        kind: ``empty``, ``tiny``, ``duplicate`` (the same members as another), ``near-duplicate`` or ``disputed``.
        message: A sentence.
        other: The other set, of duplicates.
        value: Size, Jaccard index, or share of disputed members.
        token_ids: Members in dispute.
    """

    set_name: str
    kind: str
    message: str
    other: str = ""
    value: float = 0.0
    token_ids: tuple[int, ...] = ()


def lint(
    sets: Sequence[TokenSet],
    vocabulary: Vocabulary,
    *,
    smallest: int = 5,
    jaccard: float = 0.8,
    disputed: float = 0.05,
) -> list[Finding]:
    """Look for sets that are too small, too alike, or at odds with the lexicon.

    Args:
        sets: Of this vocabulary.
        vocabulary: Gives the words that the lexicon is asked about.
        smallest: Members that a set should have.
        jaccard: Share of common members (of all members of either) from which on two sets are near-duplicates.
        disputed: Share of its words from which on a set is reported when the lexicon knows them, but not as the part
            of speech that the set claims by its ``tags``.
    """
    findings = []
    for token_set in sets:
        if len(token_set) < smallest:
            kind = "tiny" if len(token_set) else "empty"
            message = f"{token_set.name} has {len(token_set)} members."
            findings.append(Finding(token_set.name, kind, message, value=len(token_set)))
    findings += _near_duplicates(sets, jaccard)
    disputes = (_dispute(token_set, vocabulary, disputed) for token_set in sets if token_set.tags)
    return findings + [finding for finding in disputes if finding is not None]


def _near_duplicates(sets: Sequence[TokenSet], jaccard: float) -> list[Finding]:
    """Compare all pairs of sets by one sparse product."""
    from scipy.sparse import csr_array

    sizes = np.array([len(token_set) for token_set in sets], dtype=np.int64)
    columns = np.concatenate([token_set.token_ids for token_set in sets]) if sets else np.empty(0, np.int32)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    shape = (len(sets), int(columns.max(initial=0)) + 1)
    members = csr_array((np.ones(len(columns), np.int64), columns, offsets), shape=shape)
    common = (members @ members.T).tocoo()
    findings = []
    for a, b, shared in zip(*common.coords, common.data, strict=True):
        index = shared / (sizes[a] + sizes[b] - shared)
        if a < b and index >= jaccard:
            first, second = sets[a].name, sets[b].name
            kind = "duplicate" if index == 1 else "near-duplicate"
            message = f"{first} and {second} share {shared} members: Jaccard {index:.2f}."
            findings.append(Finding(first, kind, message, other=second, value=float(index)))
    return sorted(findings, key=lambda finding: -finding.value)


def _dispute(token_set: TokenSet, vocabulary: Vocabulary, share: float) -> Finding | None:
    """Ask the lexicon about each member that opens a word; words it does not know are no evidence."""
    known = {
        int(i): tags
        for i in token_set.token_ids
        if (word := vocabulary.words[i]) is not None and (tags := tags_of(word.lower()))
    }
    wrong = tuple(i for i, tags in known.items() if not tags & set(token_set.tags))
    if not wrong or len(wrong) < share * len(known):
        return None
    examples = vocabulary.show(wrong[:8])
    message = (
        f"{token_set.name} should hold {'/'.join(token_set.tags)}; the lexicon has {len(wrong)} of the {len(known)} "
        f"members it knows as something else only: {examples}."
    )
    return Finding(token_set.name, "disputed", message, value=len(wrong) / len(known), token_ids=wrong)
