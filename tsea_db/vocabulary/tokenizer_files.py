"""The files that tokenizers come in, each kind with its reader."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from tsea_db.errors import TokenSetError
from tsea_db.vocabulary import schemes
from tsea_db.vocabulary.vocabulary import Token, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_SPECIAL = re.compile(r"<\|.*\|>|<(s|/s|unk|pad|mask|bos|eos)>|\[(PAD|UNK|CLS|SEP|MASK|unused\d+)\]")
_MERGES = ("vocab.bpe", "merges.txt")
_RANK = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+")


class Kind(NamedTuple):
    """A kind of file: its usual names, how to know it by its first bytes, and its reader."""

    title: str
    names: tuple[str, ...]
    matches: Callable[[str, bytes], bool]
    read: Callable[[bytes, bytes | None], dict[int, Token]]


def sized(tokens: Mapping[int, Token], n_tokens: int | None) -> Vocabulary:
    """Make the vocabulary, as large as the unembedding or, without one, as the tokenizer."""
    if not tokens:
        msg = "The tokenizer has no tokens."
        raise TokenSetError(msg)
    return Vocabulary.from_tokens(tokens, max(tokens) + 1 if n_tokens is None else n_tokens)


def vocabulary_from_specification(specification: Mapping[str, Any], n_tokens: int | None = None) -> Vocabulary:
    """Read the content of a ``tokenizer.json`` (the tokenizers library's format).

    Raises:
        TokenSetError: It has no vocabulary, is spelled in an unknown way, or has more ids than the unembedding.
    """
    return sized(_read_specification(specification), n_tokens)


def _read_specification(specification: Mapping[str, Any]) -> dict[int, Token]:
    pieces = specification["model"]["vocab"]
    # Unigram models list (piece, score) in id order; the others map spelling to id.
    ids = dict(pieces) if isinstance(pieces, dict) else {piece: i for i, (piece, _) in enumerate(pieces)}
    added = [(t["id"], t["content"], t["special"]) for t in specification.get("added_tokens") or ()]
    added_ids = {i for i, _, _ in added}
    scheme = schemes.of_specification(specification, ids)
    tokens = {i: scheme.token(spelling) for spelling, i in ids.items() if i not in added_ids}
    return tokens | {i: scheme.added_token(content, special=special) for i, content, special in added}


def _read_json(content: bytes, merges: bytes | None) -> dict[int, Token]:
    """Read ``tokenizer.json`` or a plain map from spelling to id (``encoder.json``, ``vocab.json``)."""
    loaded = json.loads(content)
    if isinstance(loaded.get("model"), dict):
        return _read_specification(loaded)
    ids: dict[str, int] = loaded
    if merges is None:
        special = {spelling for spelling in ids if _SPECIAL.fullmatch(spelling)}
    else:
        # Every ordinary token is one byte or the result of a merge.
        merged = {line.replace(" ", "") for line in merges.decode().splitlines() if not line.startswith("#version")}
        special = {spelling for spelling in ids if len(spelling) > 1 and spelling not in merged}
    scheme = schemes.of_spellings(ids)
    return {i: scheme.added_token(s, special=True) if s in special else scheme.token(s) for s, i in ids.items()}


def _read_sentencepiece(content: bytes, _: bytes | None) -> dict[int, Token]:
    """Read a SentencePiece model. Unknown, control, unused and user-defined pieces are special."""
    from google.protobuf.message import DecodeError

    proto: Any = import_module("sentencepiece.sentencepiece_model_pb2").ModelProto
    model = proto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    kinds = proto.SentencePiece
    scheme = schemes.sentencepiece(piece.piece for piece in model.pieces if piece.type == kinds.NORMAL)
    return {
        i: scheme.token(piece.piece)
        if piece.type in {kinds.NORMAL, kinds.BYTE}
        else scheme.added_token(piece.piece, special=piece.type != kinds.USER_DEFINED)
        for i, piece in enumerate(model.pieces)
    }


def _read_ranks(content: bytes, _: bytes | None) -> dict[int, Token]:
    """Read tiktoken's ranks: base64 and id on each line. Special tokens are not in the file."""
    tokens = {}
    for line in content.splitlines():
        if line:
            encoded, rank = line.split()
            data = base64.b64decode(encoded, validate=True)
            tokens[int(rank)] = Token(data, data.startswith(b" "))
    return tokens


def _read_word_list(content: bytes, _: bytes | None) -> dict[int, Token]:
    """Read WordPiece's ``vocab.txt``: a spelling on each line."""
    scheme = schemes.wordpiece()
    lines = content.decode().removesuffix("\n").split("\n")
    return {
        i: scheme.added_token(line, special=True) if _SPECIAL.fullmatch(line) else scheme.token(line)
        for i, line in enumerate(line.removesuffix("\r") for line in lines)
    }


# In the order in which they are looked for in a folder.
KINDS: tuple[Kind, ...] = (
    Kind("tokenizer.json", ("tokenizer.json",), lambda _, head: head.lstrip()[:1] == b"{", _read_json),
    Kind("tiktoken ranks", ("*.tiktoken",), lambda _, head: bool(_RANK.match(head)), _read_ranks),
    Kind("WordPiece vocab.txt", ("vocab.txt",), lambda name, _: name.endswith(".txt"), _read_word_list),
    Kind(
        "SentencePiece model",
        ("tokenizer.model", "*.model"),
        lambda name, _: name.endswith(".model"),
        _read_sentencepiece,
    ),
    Kind("encoder.json", ("encoder.json", "vocab.json"), lambda _, head: head.lstrip()[:1] == b"{", _read_json),
)


def read_files(paths: Iterable[Path], n_tokens: int | None = None) -> Vocabulary:
    """Read a tokenizer's folder, its one file, or its file together with its merges. ``.gz`` is unpacked.

    Raises:
        TokenSetError: No such file, of no known kind, or damaged.
    """
    given = list(paths)
    merges = [path for path in given if path.name.removesuffix(".gz") in _MERGES]
    main = [path for path in given if path not in merges]
    if len(main) != 1 or len(merges) > 1:
        msg = (
            f"Give a tokenizer's folder or one file, with its {' or '.join(_MERGES)} if it has one; "
            f"these are {len(given)} paths."
        )
        raise TokenSetError(msg)
    path = _in_folder(main[0]) if main[0].is_dir() else main[0]
    beside = [path.with_name(name) for name in _MERGES if path.with_name(name).is_file()]
    content = _content(path)
    name = path.name.removesuffix(".gz")
    kind = next((kind for kind in KINDS if kind.matches(name, content[:200])), None)
    if kind is None:
        known = ", ".join(kind.title for kind in KINDS)
        msg = f"{path} is no tokenizer file of a known kind. Known are {known}."
        raise TokenSetError(msg)
    try:
        tokens = kind.read(content, _content((merges or beside)[0]) if merges or beside else None)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        msg = f"{path} cannot be read as {kind.title} ({type(error).__name__}: {error}). Is the file whole?"
        raise TokenSetError(msg) from error
    return sized(tokens, n_tokens)


def _in_folder(folder: Path) -> Path:
    for kind in KINDS:
        for pattern in kind.names:
            if found := sorted(folder.glob(pattern)):
                return found[0]
    names = ", ".join(name for kind in KINDS for name in kind.names)
    msg = f"The folder {folder} has no tokenizer: none of {names} is in it."
    raise TokenSetError(msg)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError) as error:
        msg = f"The tokenizer file {path} cannot be read: {error}."
        raise TokenSetError(msg) from error
