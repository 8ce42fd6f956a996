"""In-process relevance is the plain model's logit of a pair, whatever else is in the batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.author import Author
from fakes.texts import ABSTRACT, TITLE, write_library

from litrag.core.budget import Budget, Limits
from litrag.core.errors import BadInput, BudgetSpent, CapabilityMissing, ModelUnavailable
from litrag.core.protocols import Embedder, ForcedScoring, Generates, NextTokenLogprobs, PairScoring, TokenEmbedder
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.sync import run
from litrag.core.types import Document, Hit, Message, Query, Ranking
from litrag.models.gateway import Gateway, RoutedBackend
from litrag.models.local import LocalBackend, capabilities
from litrag.models.request import ModelRequest
from litrag.pipelines.api import review_async
from litrag.rerankers.cross_encoder import CrossEncoder

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

QUERY = "retrieval augmented generation"
TEXTS = (
    "the cat sat on the mat",
    "retrieval augmented generation cites the papers that it read " * 3,
    "",
    "a query is rewritten",
    "dog " * 40,
)
LONG = "the cat sat on the mat and the dog sat on the log " * 40


@pytest.fixture
def backend() -> LocalBackend:
    return LocalBackend()


def ask(folder: Path, *texts: str, query: str = QUERY) -> ModelRequest:
    return ModelRequest("relevance", f"local/{folder}", "rerank", (Message("user", query),), texts=texts)


def plain(folder: Path, query: str, text: str, longest: int) -> tuple[float, int]:
    """The logit of a pair by transformers alone, cut by hand on the document's side, and the pair's tokens."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    first, second = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (query, text))
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    head = [cls, *first, sep]
    tail = [*second[: longest - len(head) - 1], sep]
    kinds = [0] * len(head) + [1] * len(tail)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([head + tail]), token_type_ids=torch.tensor([kinds])).logits
    return float(logits[0, 0]), len(head) + len(tail)


def beginning(folder: Path, text: str, tokens: int) -> str:
    """The fewest words from the start of a text that have so many tokens."""
    from transformers import AutoTokenizer

    tokenizer, words = AutoTokenizer.from_pretrained(folder), text.split()
    starts = (" ".join(words[:n]) for n in range(1, len(words)))
    return next(start for start in starts if len(tokenizer(start, add_special_tokens=False)["input_ids"]) >= tokens)


def gateway(folder: Path | str, **options: object) -> Gateway:
    model = f"local/{folder}" if isinstance(folder, Path) else folder
    return Gateway(Settings(rerank_model=model), cache=RequestCache(":memory:"), **options)  # type: ignore[arg-type]


async def test_scores_are_the_plain_model_s_alone_and_in_a_batch(
    backend: LocalBackend, tiny_cross_encoder: Path
) -> None:
    reply = await backend.send(ask(tiny_cross_encoder, *TEXTS))
    alone = [await backend.send(ask(tiny_cross_encoder, text)) for text in TEXTS]
    expected = [plain(tiny_cross_encoder, QUERY, text, 256) for text in TEXTS]
    assert reply.relevance == pytest.approx([score for score, _ in expected], abs=1e-4)
    assert reply.relevance == pytest.approx([one.relevance[0] for one in alone], abs=1e-4)
    assert len(set(reply.relevance)) == len(TEXTS)
    assert reply.usage.prompt_tokens == sum(tokens for _, tokens in expected)


async def test_scores_are_sentence_transformers_logits_in_any_order(
    backend: LocalBackend, tiny_cross_encoder: Path
) -> None:
    from sentence_transformers import CrossEncoder as Theirs

    theirs = Theirs(str(tiny_cross_encoder), device="cpu", local_files_only=True, activation_fn=torch.nn.Identity())
    expected = theirs.predict([(QUERY, text) for text in TEXTS], show_progress_bar=False).tolist()
    ours, turned = await backend.send(ask(tiny_cross_encoder, *TEXTS)), ask(tiny_cross_encoder, *reversed(TEXTS))
    assert ours.relevance == pytest.approx(expected, abs=1e-4)
    assert (await backend.send(turned)).relevance == pytest.approx(expected[::-1], abs=1e-4)
    assert (await backend.send(ask(tiny_cross_encoder))).relevance == ()


async def test_what_sentence_transformers_saves_is_a_cross_encoder(
    backend: LocalBackend, tiny_cross_encoder: Path, tmp_path: Path
) -> None:
    """It may write a modules.json beside the model, as it does for embedding models."""
    from sentence_transformers import CrossEncoder as Theirs

    theirs = Theirs(str(tiny_cross_encoder), device="cpu", local_files_only=True)
    theirs.save_pretrained(str(tmp_path / "saved"))
    assert capabilities(f"local/{tmp_path / 'saved'}") == {PairScoring}
    found = [await backend.send(ask(folder, *TEXTS)) for folder in (tiny_cross_encoder, tmp_path / "saved")]
    assert found[0].relevance == pytest.approx(found[1].relevance, abs=1e-4)


async def test_a_long_document_is_cut_and_the_query_is_not(
    backend: LocalBackend, write_cross_encoder: Callable[[Path, int, int], Path], tmp_path: Path
) -> None:
    """Cutting the longest first would take words from a query that is longer than the document."""
    folder = write_cross_encoder(tmp_path / "short", 1, 32)
    query = beginning(folder, LONG, 20)
    long, short = LONG, "the dog sat on the log and the mat and the log and the mat"
    reply = await backend.send(ask(folder, long, short, query=query))
    assert reply.relevance == pytest.approx([plain(folder, query, text, 32)[0] for text in (long, short)], abs=1e-4)
    with pytest.raises(BadInput, match=r"leaves no room for a document, it takes \d+ of 32 tokens") as caught:
        await backend.send(ask(folder, "dog", query=LONG))
    assert "\n" not in str(caught.value)


async def test_a_mark_in_a_text_is_a_word(backend: LocalBackend, tiny_cross_encoder: Path) -> None:
    """A document that holds [SEP] must not end itself."""
    one, two = (
        await backend.send(ask(tiny_cross_encoder, "dog [SEP] cat")),
        await backend.send(ask(tiny_cross_encoder, "dog ( SEP ) cat")),
    )
    assert one.usage == two.usage, "three pieces like any other brackets and letters"


async def test_without_a_limit_of_the_tokenizer_the_positions_bound_a_pair(
    backend: LocalBackend, write_cross_encoder: Callable[[Path, int, int], Path], tmp_path: Path
) -> None:
    folder = write_cross_encoder(tmp_path / "unbounded", 1, 10**30)
    reply = await backend.send(ask(folder, LONG))
    assert 250 <= reply.usage.prompt_tokens <= 256


async def test_each_kind_of_model_names_what_it_lacks(
    backend: LocalBackend,
    tiny_cross_encoder: Path,
    tiny_llama: Path,
    tiny_embedder: Path,
    write_cross_encoder: Callable[[Path, int, int], Path],
    tmp_path: Path,
) -> None:
    assert capabilities(f"local/{tiny_cross_encoder}") == {PairScoring}
    for folder in (tiny_llama, tiny_embedder, write_cross_encoder(tmp_path / "three", 3, 256)):
        with pytest.raises(CapabilityMissing, match=r"PairScoring.*one label") as caught:
            await backend.send(ask(folder, "a"))
        assert "\n" not in str(caught.value)
        with pytest.raises(CapabilityMissing, match=r"PairScoring; models that can: in-process cross-encoders.*cohere"):
            gateway(folder).resolve("rerank", needs=PairScoring)
    for operation, power in (("generate", Generates), ("score", ForcedScoring), ("embed", Embedder)):
        with pytest.raises(CapabilityMissing, match=power.__name__):
            await backend.send(replace(ask(tiny_cross_encoder, "a"), operation=operation))  # type: ignore[arg-type]
    for needs in (Generates, NextTokenLogprobs, ForcedScoring):
        with pytest.raises(CapabilityMissing, match=needs.__name__):
            gateway(tiny_cross_encoder).resolve("rerank", needs=needs)
    with pytest.raises(CapabilityMissing, match="TokenEmbedder"):
        Gateway(Settings(embed_model=f"local/{tiny_cross_encoder}"), cache=RequestCache(":memory:")).embedder(
            needs=TokenEmbedder
        )


async def test_what_cannot_be_loaded_is_one_line(
    backend: LocalBackend, tiny_cross_encoder: Path, tmp_path: Path
) -> None:
    for file in tiny_cross_encoder.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    for name, reason in ((f"{tmp_path}", "cannot be loaded"), (f"{tiny_cross_encoder}+{adapter}", "no adapter")):
        with pytest.raises(ModelUnavailable, match=reason) as caught:
            await backend.send(replace(ask(tiny_cross_encoder, "a"), model=f"local/{name}"))
        assert "\n" not in str(caught.value)


async def test_relevance_takes_the_path_of_every_call_and_is_paid_once(tiny_cross_encoder: Path) -> None:
    gate = gateway(tiny_cross_encoder)
    model = gate.resolve("rerank", needs=PairScoring)
    first = await model.relevance(QUERY, TEXTS)
    assert await model.relevance(QUERY, TEXTS) == first
    assert await model.relevance(QUERY, ()) == ()
    totals = gate.ledger.totals()
    assert (totals.calls, totals.cached, gate.budget.spent.calls, gate.cache.counts()["replies"]) == (1, 1, 1, 1)
    assert gate.ledger.rows()[0].operation == "relevance"
    assert gate.budget.spent.tokens == gate.ledger.rows()[0].prompt_tokens > 0
    with pytest.raises(BudgetSpent):
        await gateway(tiny_cross_encoder, budget=Budget(Limits(calls=0))).model("rerank").relevance(QUERY, TEXTS)


async def test_a_ranking_follows_the_model_and_a_long_query_leaves_room(tiny_cross_encoder: Path) -> None:
    hits = tuple(Hit(Document(str(place), "T", text)) for place, text in enumerate((*TEXTS, LONG)))
    model = gateway(tiny_cross_encoder).resolve("rerank", needs=PairScoring)
    for query in (QUERY, LONG):
        ranked = await CrossEncoder(model, batch=4).rerank(Ranking(Query(query), hits))
        values = [hit.score("cross-encoder").value for hit in ranked.hits]
        assert values == sorted(values, reverse=True)
        assert sorted(ranked.ids) == sorted(hit.document.id for hit in hits)


@pytest.mark.parametrize("reranker", ["cross-encoder", "auto"])
def test_a_review_is_reranked_by_a_cross_encoder(reranker: str, tiny_cross_encoder: Path, tmp_path: Path) -> None:
    """auto finds that it is all that the rerank model can."""
    backend = RoutedBackend({"scripted": Author()})
    options = {"model": "scripted/m", "embed_model": "scripted/e", "rerank_model": f"local/{tiny_cross_encoder}"}
    library = write_library(tmp_path / "forest.jsonl")
    result = run(
        review_async(
            f"{TITLE}\n\n{ABSTRACT}",
            library=library,
            out=tmp_path / "out",
            backend=backend,
            reranker=reranker,
            **options,
        )
    )
    assert result.stop_reason == "done"
    evidence = json.loads((result.folder / "evidence.json").read_text())["evidence"]
    assert all("cross-encoder" in {score["source"] for score in item["scores"]} for item in evidence)
