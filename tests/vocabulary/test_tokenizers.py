"""Vocabularies read from tokenizers, held against what the tokenizers themselves decode."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support import gpt2
from tests.support.tokenizers import MODEL, shipped_tokenizer
from tsea_db.errors import TokenSetError
from tsea_db.vocabulary.tokenizers import encoder, read_vocabulary, vocabulary_from_tokenizer


def test_shipped_tokenizer_says_what_it_decodes() -> None:
    tokenizer = shipped_tokenizer()
    vocabulary = vocabulary_from_tokenizer(tokenizer, 8192)
    assert len(vocabulary) == 8192
    assert vocabulary.special == {0}
    assert list(vocabulary.texts) == [tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in range(8192)]
    assert vocabulary.words[tokenizer.encode(" walked")[0]] == "walked"
    assert vocabulary.words[tokenizer.encode("walked")[0]] is None


def test_padding_of_the_unembedding_and_too_small_an_unembedding() -> None:
    assert vocabulary_from_tokenizer(shipped_tokenizer(), 8200).special == {0, *range(8192, 8200)}
    with pytest.raises(TokenSetError, match="unembedding has 8000 columns"):
        vocabulary_from_tokenizer(shipped_tokenizer(), 8000)


def test_tokenizer_of_the_tokenizers_library_equals_the_byte_level_files() -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models

    tokenizer = Tokenizer(models.BPE(vocab=gpt2.spellings(), merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    assert vocabulary_from_tokenizer(tokenizer, 50257).content_hash == gpt2.vocabulary().content_hash


def test_what_is_no_tokenizer_is_refused() -> None:
    with pytest.raises(TokenSetError, match="is no tokenizer"):
        vocabulary_from_tokenizer(object(), 10)


TEXT = "the quick brown foxes walked over the lazy dogs\nwe went walking and talked about naïve café ☃ talks\n" * 50


@cache
def sentencepiece_model(model_type: str, *, suffix: bool = False) -> bytes:
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()),
        model_writer=model,
        vocab_size=400,
        model_type=model_type,
        byte_fallback=True,
        treat_whitespace_as_suffix=suffix,
        user_defined_symbols=["<turn>", "▁▁▁"],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_sentencepiece_model(model_type: str, tmp_path: Path) -> None:
    import sentencepiece

    content = sentencepiece_model(model_type)
    (tmp_path / "tokenizer.model").write_bytes(content)
    vocabulary = read_vocabulary(tmp_path)
    processor = sentencepiece.SentencePieceProcessor(model_proto=content)
    assert len(vocabulary) == processor.get_piece_size()
    # A token among others decodes to its own text: SentencePiece drops only the space that opens the text.
    start = processor.encode("x")
    for i in range(len(vocabulary)):
        if i not in vocabulary.special and not processor.is_byte(i):
            assert "x" + vocabulary.texts[i] == processor.decode([*start, i])
    assert vocabulary.data[processor.piece_to_id("<0x0A>")] == b"\n"
    assert vocabulary.special == {processor.piece_to_id(p) for p in ("<unk>", "<s>", "</s>", "<turn>")}
    assert vocabulary.texts[processor.piece_to_id("▁▁▁")] == "   "
    assert set(TEXT.split()) & set(vocabulary.words)
    assert read_vocabulary(tmp_path / "tokenizer.model", 500).special >= set(range(len(vocabulary), 500))


def test_sentencepiece_with_marks_behind_words(tmp_path: Path) -> None:
    (tmp_path / "suffix.model").write_bytes(sentencepiece_model("unigram", suffix=True))
    vocabulary = read_vocabulary(tmp_path / "suffix.model")
    assert "the " in vocabulary.texts
    assert "the" in vocabulary.words
    assert vocabulary.ids_of_words(["the"]) == [vocabulary.texts.index("the ")]


def train(kind: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]", "[CLS]"], show_progress=False)
    elif kind == "metaspace":
        tokenizer = Tokenizer(models.BPE(byte_fallback=True))
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        bytes_ = [f"<0x{i:02X}>" for i in range(256)]
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", *bytes_], show_progress=False)
    elif kind == "words":
        tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.WordLevelTrainer(special_tokens=["<unk>"], show_progress=False)
    elif kind == "word ends":
        tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.decoder = decoders.BPEDecoder("</w>")
        trainer = trainers.BpeTrainer(vocab_size=200, end_of_word_suffix="</w>", show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.BpeTrainer(vocab_size=200, show_progress=False)
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    return tokenizer


def test_wordpiece(tmp_path: Path) -> None:
    tokenizer = train("wordpiece")
    vocabulary = read_vocabulary(tokenizer)
    ids = tokenizer.get_vocab()
    assert vocabulary.texts[ids["the"]] == "the"
    assert vocabulary.words[ids["the"]] == "the"
    continuation = next(spelling for spelling in ids if spelling.startswith("##"))
    assert vocabulary.texts[ids[continuation]] == continuation.removeprefix("##")
    assert vocabulary.words[ids[continuation]] is None
    assert vocabulary.special == {ids["[UNK]"], ids["[CLS]"]}
    (tmp_path / "vocab.txt").write_text("".join(f"{spelling}\n" for spelling in sorted(ids, key=lambda s: ids[s])))
    assert read_vocabulary(tmp_path).content_hash == vocabulary.content_hash
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert read_vocabulary(tmp_path / "tokenizer.json").content_hash == vocabulary.content_hash


def test_tokenizer_json_with_sentencepiece_marks() -> None:
    tokenizer = train("metaspace")
    vocabulary = read_vocabulary(tokenizer, 450)
    ids = tokenizer.get_vocab()
    spaced = [spelling for spelling in ids if "▁" in spelling]
    assert spaced
    for spelling in spaced:
        assert vocabulary.texts[ids[spelling]] == tokenizer.decode([ids[spelling]])
    assert {i for i in range(450) if i >= len(ids)} < vocabulary.special


def test_whole_words_and_word_ends() -> None:
    words = train("words")
    assert {"walked", "the"} <= set(read_vocabulary(words).words)
    ends = train("word ends")
    vocabulary = read_vocabulary(ends)
    ids = ends.get_vocab()
    assert vocabulary.texts[ids["the</w>"]] == "the "
    assert vocabulary.words[ids["the</w>"]] == "the"


def test_no_mark_of_word_starts_is_refused() -> None:
    with pytest.raises(TokenSetError, match="no mark of where words start"):
        read_vocabulary(train("unmarked"))


def test_tiktoken_ranks(tmp_path: Path) -> None:
    ranks = [bytes([i]) for i in range(256)] + [b" the", b" walked", "☃".encode()[:2]]
    lines = [base64.b64encode(data) + b" %d\n" % rank for rank, data in enumerate(ranks)]
    for name in ("cl.tiktoken", "tokenizer.model"):  # Llama 3 calls its ranks tokenizer.model
        (tmp_path / name).write_bytes(b"".join(lines))
        vocabulary = read_vocabulary(tmp_path / name, 262)
        assert vocabulary.data[:259] == tuple(ranks)
        assert vocabulary.special == {259, 260, 261}
        assert vocabulary.words[257] == "walked"


def test_gpt2_files(tmp_path: Path) -> None:
    files = [gpt2.FOLDER / "encoder.json.gz", gpt2.FOLDER / "vocab.bpe.gz"]
    assert read_vocabulary(files).content_hash == gpt2.vocabulary().content_hash
    assert read_vocabulary(files[0], 50257).content_hash == gpt2.vocabulary().content_hash
    for file in files:
        (tmp_path / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    assert read_vocabulary(tmp_path).content_hash == gpt2.vocabulary().content_hash


def test_folder_and_loaded_tokenizer_agree() -> None:
    from_folder = read_vocabulary(MODEL)
    assert from_folder.content_hash == vocabulary_from_tokenizer(shipped_tokenizer()).content_hash


class SlowTokenizer:
    """What a tokenizer of transformers that is written in Python offers."""

    all_special_ids = (0,)

    def __init__(self, *spellings: str) -> None:
        self._spellings = ["<s>", *spellings]

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        from tokenizers import AddedToken

        return {0: AddedToken("<s>", special=True)}

    def get_vocab(self) -> dict[str, int]:
        return {spelling: i for i, spelling in enumerate(self._spellings)}


@pytest.mark.parametrize("spelling", ["▁walked", "Ġwalked", "walked"])
def test_slow_tokenizer_is_told_by_its_marks(spelling: str) -> None:
    others = ["##ed"] * (spelling == "walked")
    vocabulary = read_vocabulary(SlowTokenizer(spelling, "ing", *others), 5)
    assert vocabulary.words[:2] == (None, "walked")
    assert vocabulary.words[2] == ("ing" if others else None)
    assert 0 in vocabulary.special


def test_slow_tokenizer_without_marks_is_refused() -> None:
    with pytest.raises(TokenSetError, match="word starts cannot be told"):
        read_vocabulary(SlowTokenizer("a", "b"))


def test_real_slow_tokenizer_of_transformers(tmp_path: Path) -> None:
    from transformers import BertJapaneseTokenizer

    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nwalk\n##ing\n")
    tokenizer = BertJapaneseTokenizer(  # type: ignore[no-untyped-call]
        str(tmp_path / "vocab.txt"), word_tokenizer_type="basic", subword_tokenizer_type="wordpiece"
    )
    vocabulary = read_vocabulary(tokenizer)
    assert vocabulary.words[5:] == ("walk", None)
    assert vocabulary.special == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", b'{"model": {}}', "cannot be read as tokenizer.json"),
        ("tokenizer.json", b"{", "cannot be read as tokenizer.json"),
        ("tokenizer.model", b"\xff\xff\xff", "cannot be read as SentencePiece model"),
        ("ranks.tiktoken", b"YQ== 0\n!!!! 1\n", "cannot be read as tiktoken ranks"),
        ("notes.md", b"hello", "no tokenizer file of a known kind"),
        ("encoder.json.gz", b"no gzip", "cannot be read"),
    ],
)
def test_damaged_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TokenSetError, match=message):
        read_vocabulary(tmp_path / name)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(TokenSetError, match="has no tokenizer"):
        read_vocabulary(tmp_path)
    with pytest.raises(TokenSetError, match="cannot be read"):
        read_vocabulary(tmp_path / "tokenizer.json")
    with pytest.raises(TokenSetError, match="2 paths"):
        read_vocabulary([tmp_path / "a.json", tmp_path / "b.json"])


def test_encoder_adds_no_special_tokens() -> None:
    tokenizer = shipped_tokenizer()
    assert encoder(tokenizer)(" walked") == tokenizer.encode(" walked", add_special_tokens=False)
    assert encoder(tokenizer.backend_tokenizer)(" walked") == encoder(tokenizer)(" walked")
