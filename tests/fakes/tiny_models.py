"""Tiny models with random weights, built once: a Llama with its own byte-level tokenizer, a sentence-transformers BERT, and a BERT that
judges pairs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEXT = [
    "the cat sat on the mat and the dog sat on the log",
    "retrieval augmented generation cites the papers that it read",
    "a query is rewritten, searched and fused; what follows is reranked",
]
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}[end]{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def _tokenizer(kind: str) -> Any:
    """bpe by bytes; pieces with a blank before every text, as those of Llama 2 and Mistral; else WordPiece."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    if kind == "bpe":
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        bpe.train_from_iterator(
            TEXT, trainers.BpeTrainer(vocab_size=320, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
        )
        return bpe
    if kind == "pieces":
        blanks = Tokenizer(models.BPE(unk_token="<unk>"))
        blanks.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        blanks.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=160, special_tokens=["<s>", "</s>", "<unk>"]))
        blanks.pre_tokenizer = None
        blanks.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        blanks.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        return blanks
    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.train_from_iterator(
        TEXT, trainers.WordPieceTrainer(vocab_size=120, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    )
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return pieces


def _write(
    folder: Path, seed: int, template: str | None, kind: str = "llama", *, context: int = 128, tokenizer: Any = None
) -> Path:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer or _tokenizer("bpe"), bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = template
    torch.manual_seed(seed)
    ids = {
        "vocab_size": len(tokenizer),
        "initializer_range": 0.3,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    if kind == "gpt2":
        GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **ids)).save_pretrained(folder)
    else:
        sizes = {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
        }
        LlamaForCausalLM(LlamaConfig(max_position_embeddings=context, **sizes, **ids)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def write_llama() -> Callable[[Path, int, str | None], Path]:
    """Writes a tiny Llama to a folder: (folder, seed, chat template)."""
    return _write


@pytest.fixture(scope="session")
def tiny_pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama whose tokenizer puts a blank before every text, as SentencePiece does."""
    pytest.importorskip("torch")
    return _write(tmp_path_factory.mktemp("models") / "tiny-pieces", 0, None, tokenizer=_tokenizer("pieces"))


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Llama: no chat template, a context of 128 tokens."""
    pytest.importorskip("torch")
    return _write(tmp_path_factory.mktemp("models") / "tiny-llama", 0, None)


@pytest.fixture(scope="session", params=["llama", "gpt2"])
def tiny_causal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama, whose positions are relative, then a GPT-2, whose learned ones show any shift that padding makes."""
    pytest.importorskip("torch")
    return _write(tmp_path_factory.mktemp("models") / request.param, 0, None, request.param)


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2, whose dropout is on while it is trained."""
    pytest.importorskip("torch")
    return _write(tmp_path_factory.mktemp("models") / "tiny-gpt2", 0, None, "gpt2")


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a chat template."""
    pytest.importorskip("torch")
    return _write(tmp_path_factory.mktemp("models") / "tiny-chat", 0, TEMPLATE)


@pytest.fixture(scope="session")
def wide_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a context that holds whole conversations."""
    pytest.importorskip("torch")
    return _write(tmp_path_factory.mktemp("models") / "wide-chat", 0, TEMPLATE, context=8192)


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny sentence-transformers model: mean pooling, unit norm, 12 tokens at the most."""
    pytest.importorskip("sentence_transformers")
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny-embedder"
    torch.manual_seed(0)
    tokens = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=_tokenizer("wordpiece"), **tokens)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(
        BertConfig(vocab_size=len(tokenizer), max_position_embeddings=32, initializer_range=0.5, **sizes)
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    kinds = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]
    (folder / "1_Pooling").mkdir()
    for name, content in (
        ("modules.json", modules),
        ("sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": False}),
        ("1_Pooling/config.json", {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}),
    ):
        (folder / name).write_text(json.dumps(content))
    return folder


def _write_cross_encoder(folder: Path, labels: int = 1, longest: int = 256) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer("wordpiece"),
        model_max_length=longest,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=256, initializer_range=0.5, num_labels=labels, **sizes
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def write_cross_encoder() -> Callable[[Path, int, int], Path]:
    """Writes a tiny sequence classifier to a folder: (folder, labels, most tokens of a pair, 256 at the most)."""
    pytest.importorskip("torch")
    return _write_cross_encoder


@pytest.fixture(scope="session")
def tiny_cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny BERT that judges pairs: one label, 256 tokens a pair."""
    pytest.importorskip("torch")
    return _write_cross_encoder(tmp_path_factory.mktemp("models") / "tiny-cross-encoder")
