"""Token sets in files: everybody's own in, any sets out."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from tsea_db.errors import TokenSetError
from tsea_db.token_sets.building import BuiltSets, build_sets
from tsea_db.token_sets.definitions import parse_definitions
from tsea_db.token_sets.gmt import format_gmt, parse_gmt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tsea_db.token_sets.token_set import TokenSet
    from tsea_db.vocabulary.tokenizers import Encode
    from tsea_db.vocabulary.vocabulary import Vocabulary


def load_sets(
    path: str | Path, vocabulary: Vocabulary, known: Sequence[TokenSet] = (), encode: Encode | None = None
) -> BuiltSets:
    """Read token sets from a file of definitions (``.toml``) or a GMT file (``.gmt``).

    Args:
        path: The file.
        vocabulary: What the members are drawn from.
        known: Sets that expressions may name besides those of the file, such as the library's. None of another family
            may have the name of a set of the file.
        encode: From a text to its token ids without special tokens. Only words of several tokens need it.

    Raises:
        TokenSetError: The file cannot be read, or a set in it cannot be used.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The token sets in {path} cannot be read: {error}."
        raise TokenSetError(msg) from error
    if path.suffix == ".toml":
        return build_sets(parse_definitions(text, path.name), vocabulary, known, encode)
    if path.suffix == ".gmt":
        built = parse_gmt(text, vocabulary, path.name)
        families = {token_set.name: token_set.family for token_set in known}
        for token_set in built.sets:
            if families.get(token_set.name, token_set.family) != token_set.family:
                msg = f"{path.name}: there is a token set {token_set.name!r} already, in another family: rename it."
                raise TokenSetError(msg)
        return built
    msg = f"{path.name}: token sets are read from .toml and .gmt files."
    raise TokenSetError(msg)


def format_csv(sets: Iterable[TokenSet], vocabulary: Vocabulary) -> str:
    """Write sets as CSV with the columns set, token_id and token (its text), a row for each member."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["set", "token_id", "token"])
    for token_set in sets:
        writer.writerows([token_set.name, int(i), vocabulary.texts[i]] for i in token_set.token_ids)
    return file.getvalue()


_WRITERS: dict[str, Callable[[Iterable[TokenSet], Vocabulary], str]] = {".gmt": format_gmt, ".csv": format_csv}


def write_sets(sets: Iterable[TokenSet], vocabulary: Vocabulary, path: str | Path) -> list[str]:
    """Write token sets as GMT or CSV, by the path's suffix.

    Returns:
        Names of the sets that are left out because they have no member in this vocabulary.

    Raises:
        TokenSetError: Another suffix, or the file cannot be written.
    """
    path, sets = Path(path), list(sets)
    if path.suffix not in _WRITERS:
        msg = f"{path.name}: token sets are written as {' or '.join(_WRITERS)}; the name must end in one of them."
        raise TokenSetError(msg)
    text = _WRITERS[path.suffix](sets, vocabulary)
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        msg = f"The token sets cannot be written to {path}: {error}."
        raise TokenSetError(msg) from error
    return [token_set.name for token_set in sets if not len(token_set)]
