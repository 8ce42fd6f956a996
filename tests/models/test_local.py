"""In-process models give what a plain forward pass gives, whatever else is in the batch."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from litrag.core.errors import BadInput, CapabilityMissing, ModelUnavailable
from litrag.core.protocols import Embedder, ForcedScoring, Generates, NextTokenLogprobs, TokenEmbedder, TokenScores
from litrag.core.types import Message
from litrag.models.local import LocalBackend, capabilities
from litrag.models.local_prompts import PromptCoder
from litrag.models.local_worker import BatchLimits
from litrag.models.request import ModelReply, ModelRequest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

PROMPTS = (
    "the cat",
    "retrieval augmented generation cites the papers that it read and the dog sat on",
    "a",
    "a query is rewritten, searched",
)
CONTINUATIONS = (" sat on the mat", " that", ", searched and fused; what follows is reranked")


def ask(folder: Path | str, operation: Any, prompt: str | Sequence[Message] = "the cat", **values: Any) -> ModelRequest:
    messages = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
    return ModelRequest(operation, f"local/{folder}", "test", messages=messages, **values)


async def together(backend: LocalBackend, *requests: ModelRequest) -> list[ModelReply]:
    return await asyncio.gather(*(backend.send(request) for request in requests))


def plain(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def forced(model: Any, tokenizer: Any, prompt: str, continuation: str) -> list[float]:
    """Log-probabilities of a continuation by one unbatched, unpadded forward pass."""
    start, end = tokenizer(prompt)["input_ids"], tokenizer(continuation, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logprobs = model(torch.tensor([start + end])).logits[0].log_softmax(-1)
    return [float(logprobs[len(start) + i - 1, token]) for i, token in enumerate(end)]


@pytest.fixture
def backend() -> LocalBackend:
    return LocalBackend()


async def test_scores_are_those_of_a_plain_forward_pass(backend: LocalBackend, tiny_causal: Path) -> None:
    model, tokenizer = plain(tiny_causal)
    replies = await together(
        backend, *(ask(tiny_causal, "score", prompt, continuations=CONTINUATIONS) for prompt in PROMPTS)
    )
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        for continuation, scores in zip(CONTINUATIONS, reply.scores, strict=True):
            assert "".join(scores.tokens) == continuation
            assert scores.logprobs == pytest.approx(forced(model, tokenizer, prompt, continuation), abs=1e-4)
        lengths = [len(tokenizer(text)["input_ids"]) for text in CONTINUATIONS]
        assert reply.usage.prompt_tokens == 3 * len(tokenizer(prompt)["input_ids"]) + sum(lengths)


async def test_scores_do_not_depend_on_the_batch(tiny_causal: Path) -> None:
    """Otherwise a reranker's order would change with the number of papers beside a paper."""
    requests = [ask(tiny_causal, "score", prompt, continuations=CONTINUATIONS) for prompt in PROMPTS]
    alone = [
        reply for request in requests for reply in await together(LocalBackend(limits=BatchLimits(rows=1)), request)
    ]
    crowd = await together(LocalBackend(), *requests)
    for one, other in zip(alone, crowd, strict=True):
        assert [s.logprobs for s in one.scores] == [pytest.approx(s.logprobs, abs=1e-4) for s in other.scores]


async def test_an_empty_continuation_scores_nothing(backend: LocalBackend, tiny_llama: Path) -> None:
    assert (await backend.send(ask(tiny_llama, "score", continuations=("",)))).scores == (TokenScores((), ()),)
    assert (await backend.send(ask(tiny_llama, "score", "", continuations=("the",)))).scores[0].total < 0


async def test_next_token_logprobs_are_those_of_a_plain_forward_pass(backend: LocalBackend, tiny_causal: Path) -> None:
    model, tokenizer = plain(tiny_causal)
    replies = await together(
        backend, *(ask(tiny_causal, "next_token_logprobs", prompt, tokens=("a", "b", "1")) for prompt in PROMPTS)
    )
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        assert list(reply.logprobs) == ["a", "b", "1"]
        for token, logprob in reply.logprobs.items():
            assert [logprob] == pytest.approx(forced(model, tokenizer, prompt, token), abs=1e-4)


async def test_a_label_of_several_tokens_is_refused_by_name(backend: LocalBackend, tiny_llama: Path) -> None:
    with pytest.raises(BadInput, match=r"'relevant\?!' is \d+ tokens"):
        await backend.send(ask(tiny_llama, "next_token_logprobs", tokens=("a", "relevant?!")))


async def test_greedy_text_is_that_of_transformers_generate(backend: LocalBackend, tiny_causal: Path) -> None:
    model, tokenizer = plain(tiny_causal)
    replies = await together(
        backend, *(ask(tiny_causal, "generate", prompt, max_tokens=5 + 3 * i) for i, prompt in enumerate(PROMPTS))
    )
    for i, (prompt, reply) in enumerate(zip(PROMPTS, replies, strict=True)):
        ids = tokenizer(prompt, return_tensors="pt")
        whole = model.generate(**ids, max_new_tokens=5 + 3 * i, do_sample=False)[0, ids["input_ids"].shape[1] :]
        assert reply.texts[0] == tokenizer.decode(whole, skip_special_tokens=True)
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (ids["input_ids"].shape[1], len(whole))
        assert reply.finish == ("stop" if int(whole[-1]) == tokenizer.eos_token_id else "length",)


async def test_sampled_replies_are_reproducible_alone_and_in_a_crowd(backend: LocalBackend, tiny_llama: Path) -> None:
    request = ask(tiny_llama, "generate", n=3, temperature=1.0, max_tokens=8)
    crowd = await together(
        backend, ask(tiny_llama, "generate", "another", n=2, temperature=0.7, max_tokens=20), request
    )
    alone = await backend.send(request)
    assert alone.texts == crowd[1].texts
    assert len(set(alone.texts)) == 3
    assert (await backend.send(replace(request, seed=1))).texts != alone.texts


async def test_samples_follow_the_model_s_probabilities(backend: LocalBackend, tiny_llama: Path) -> None:
    model, tokenizer = plain(tiny_llama)
    n = 4000
    reply = await backend.send(ask(tiny_llama, "generate", n=n, temperature=2.0, max_tokens=1))
    with torch.no_grad():
        expected = (model(tokenizer("the cat", return_tensors="pt")["input_ids"]).logits[0, -1] / 2.0).softmax(-1)
    shares: Counter[str] = Counter()
    for token, probability in enumerate(expected.tolist()):
        shares[tokenizer.decode([token], skip_special_tokens=True)] += probability
    found = Counter(reply.texts)
    for text, share in shares.most_common(8):
        assert found[text] / n == pytest.approx(share, abs=5 * math.sqrt(share / n))


async def test_a_reply_ends_before_its_stop_string(backend: LocalBackend, tiny_llama: Path) -> None:
    whole = await backend.send(ask(tiny_llama, "generate", max_tokens=12))
    stop = whole.texts[0][6:9]
    cut = await backend.send(ask(tiny_llama, "generate", max_tokens=12, stop=("never seen", stop)))
    assert cut.texts[0] == whole.texts[0][: whole.texts[0].index(stop)]
    assert cut.finish == ("stop",)
    assert cut.usage.completion_tokens < whole.usage.completion_tokens


async def test_greedy_replies_to_one_request_are_equal(backend: LocalBackend, tiny_llama: Path) -> None:
    reply = await backend.send(ask(tiny_llama, "generate", n=3, max_tokens=4))
    assert len(reply.texts) == len(reply.finish) == 3
    assert len(set(reply.texts)) == 1
    assert reply.usage.completion_tokens == 12


@pytest.mark.parametrize(
    "values",
    [
        {"operation": "generate", "prompt": "the cat", "max_tokens": 127},
        {"operation": "score", "prompt": "the cat " * 60, "continuations": ("a",)},
        {"operation": "next_token_logprobs", "prompt": "the cat " * 70, "tokens": ("a",)},
    ],
)
async def test_what_does_not_fit_the_context_is_refused_with_both_numbers(
    backend: LocalBackend, tiny_llama: Path, values: dict[str, Any]
) -> None:
    """A silent cut would score a passage that nobody saw whole."""
    with pytest.raises(BadInput, match=r"\d+ tokens do not fit the model's context of 128"):
        await backend.send(ask(tiny_llama, **values))


async def test_a_conversation_goes_through_the_chat_template(
    backend: LocalBackend, tiny_llama: Path, tiny_chat: Path
) -> None:
    chat = (
        Message("system", "be brief"),
        Message("user", "the cat"),
        Message("assistant", "sat"),
        Message("user", "where"),
    )
    text = "<system>be brief[end]<user>the cat[end]<assistant>sat[end]<user>where[end]<assistant>"
    templated = await backend.send(ask(tiny_chat, "score", chat, continuations=(" on",)))
    written = await backend.send(ask(tiny_llama, "score", text, continuations=(" on",)))
    assert templated.scores[0].logprobs == pytest.approx(written.scores[0].logprobs, abs=1e-4)


async def test_assistant_text_alone_is_continued_without_template(
    backend: LocalBackend, tiny_llama: Path, tiny_chat: Path
) -> None:
    """Query likelihood wants P(query | passage) of the bare language model."""
    bare = await backend.send(ask(tiny_chat, "score", (Message("assistant", "the cat"),), continuations=(" sat",)))
    written = await backend.send(ask(tiny_llama, "score", "the cat", continuations=(" sat",)))
    assert bare.scores[0].logprobs == pytest.approx(written.scores[0].logprobs, abs=1e-4)


async def test_control_tokens_in_retrieved_text_are_text(
    backend: LocalBackend, tiny_llama: Path, tiny_chat: Path
) -> None:
    """A paper's abstract must not end the turn it is quoted in, nor the scored continuation."""
    requests = [ask(tiny_chat, "score", f"the {mark} cat", continuations=(" sat",)) for mark in ("</s>", "< /s>")]
    quoted, spaced = await together(backend, *requests)
    assert quoted.usage == spaced.usage
    assert quoted.scores[0].logprobs == pytest.approx(spaced.scores[0].logprobs, abs=1e-4)
    bare = await backend.send(ask(tiny_llama, "score", "the </s>", continuations=("</s>",)))
    assert "".join(bare.scores[0].tokens) == "</s>"
    assert len(bare.scores[0].tokens) > 1


async def test_a_tokenizer_that_puts_a_blank_before_every_text_puts_none_at_the_boundary(
    backend: LocalBackend, tiny_pieces: Path
) -> None:
    """Llama 2's and Mistral's: scores of an answer are those of its tokens in the whole text."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_pieces)
    model = AutoModelForCausalLM.from_pretrained(tiny_pieces).eval()
    before, answer = "the cat sat on the", " mat and the dog"
    start, whole = tokenizer(before)["input_ids"], tokenizer(before + answer)["input_ids"]
    assert whole[: len(start)] == start
    assert tokenizer(answer, add_special_tokens=False)["input_ids"] != whole[len(start) :], "or this shows nothing"
    with torch.inference_mode():
        logits = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    expected = [float(logits[i - 1, whole[i]]) for i in range(len(start), len(whole))]
    (scores,) = (await backend.send(ask(tiny_pieces, "score", before, continuations=(answer,)))).scores
    assert scores.logprobs == pytest.approx(expected, abs=1e-4)


def test_a_boundary_inside_a_token_leaves_the_prompt_as_it_is(tiny_llama: Path) -> None:
    from transformers import AutoTokenizer

    coder = PromptCoder(AutoTokenizer.from_pretrained(tiny_llama))
    asked = [Message("user", "cat th")]
    assert coder.reply(asked, "e") == coder.plain("e")
    assert coder.prompt([Message("user", "cat the")]) != [*coder.prompt(asked), *coder.plain("e")]
    assert coder.reply(asked, "") == []


async def test_a_started_answer_is_continued(backend: LocalBackend, tiny_llama: Path, tiny_chat: Path) -> None:
    started = await backend.send(
        ask(tiny_chat, "score", (Message("user", "the cat"), Message("assistant", "sat")), continuations=(" on",))
    )
    written = await backend.send(ask(tiny_llama, "score", "<user>the cat[end]<assistant>sat", continuations=(" on",)))
    assert started.scores[0].logprobs == pytest.approx(written.scores[0].logprobs, abs=1e-4)


async def test_a_template_without_system_role_gets_it_before_the_first_message(
    backend: LocalBackend, tiny_llama: Path, tmp_path: Path, write_llama: Callable[[Path, int, str | None], Path]
) -> None:
    strict = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{% for m in messages %}<{{ m['content'] }}>{% endfor %}"
    )
    folder = write_llama(tmp_path / "strict", 0, strict)
    merged = await backend.send(
        ask(folder, "score", (Message("system", "be brief"), Message("user", "the cat")), continuations=(" sat",))
    )
    written = await backend.send(ask(tiny_llama, "score", "<be brief\n\nthe cat>", continuations=(" sat",)))
    assert merged.scores[0].logprobs == pytest.approx(written.scores[0].logprobs, abs=1e-4)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft 0.21 with transformers 5
async def test_an_adapter_changes_the_scores_as_peft_does(
    backend: LocalBackend, tiny_llama: Path, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    model, tokenizer = plain(tiny_llama)
    torch.manual_seed(3)
    tuned = peft.get_peft_model(
        model, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    ).eval()
    tuned.save_pretrained(tmp_path / "adapter")
    expected = forced(tuned, tokenizer, "the cat", " sat")
    adapted = await backend.send(ask(f"{tiny_llama}+{tmp_path / 'adapter'}", "score", continuations=(" sat",)))
    base = await backend.send(ask(tiny_llama, "score", continuations=(" sat",)))
    assert adapted.scores[0].logprobs == pytest.approx(expected, abs=1e-4)
    assert adapted.scores[0].logprobs != pytest.approx(base.scores[0].logprobs, abs=1e-3)


async def test_weights_that_changed_under_their_name_are_loaded_anew(
    backend: LocalBackend, tmp_path: Path, write_llama: Callable[[Path, int, str | None], Path]
) -> None:
    request = ask(write_llama(tmp_path / "model", 0, None), "score", continuations=(" sat",))
    before = await backend.send(request)
    write_llama(tmp_path / "model", 1, None)
    assert (await backend.send(request)).scores[0].total != pytest.approx(before.scores[0].total, abs=1e-3)


async def test_a_generation_that_nobody_waits_for_ends(backend: LocalBackend, wide_chat: Path) -> None:
    await backend.send(ask(wide_chat, "generate", max_tokens=1))
    task = asyncio.ensure_future(backend.send(ask(wide_chat, "generate", "a", n=8, temperature=1.0, max_tokens=4000)))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len((await backend.send(ask(wide_chat, "generate", max_tokens=2))).texts) == 1


async def test_the_event_loop_runs_while_a_model_computes(backend: LocalBackend, tiny_llama: Path) -> None:
    task = asyncio.ensure_future(backend.send(ask(tiny_llama, "generate", n=16, temperature=1.0, max_tokens=100)))
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.001)
        ticks += 1
    assert ticks > 2


def test_several_event_loops_share_one_backend(backend: LocalBackend, tiny_llama: Path) -> None:
    request = ask(tiny_llama, "generate", max_tokens=6)
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(asyncio.run(backend.send(request)).texts[0])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(texts) == 4
    assert len(set(texts)) == 1
    backend.close()


async def test_a_power_that_a_model_lacks_is_named(
    backend: LocalBackend, tiny_llama: Path, tiny_embedder: Path
) -> None:
    assert capabilities(f"local/{tiny_llama}") == {Generates, NextTokenLogprobs, ForcedScoring}
    assert capabilities(f"local/{tiny_embedder}") == {Embedder, TokenEmbedder}
    with pytest.raises(CapabilityMissing, match="Embedder"):
        await backend.send(ModelRequest("embed", f"local/{tiny_llama}", "embed", texts=("a",)))
    for operation, power in (
        ("generate", "Generates"),
        ("score", "ForcedScoring"),
        ("next_token_logprobs", "NextTokenLogprobs"),
    ):
        with pytest.raises(CapabilityMissing, match=power):
            await backend.send(ask(tiny_embedder, operation))


async def test_pickled_weights_are_not_loaded(backend: LocalBackend, tiny_llama: Path, tmp_path: Path) -> None:
    for file in tiny_llama.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        await backend.send(ask(tmp_path, "generate"))


async def test_nonsense_sampling_is_refused(backend: LocalBackend, tiny_llama: Path) -> None:
    with pytest.raises(BadInput, match="at least 1"):
        await backend.send(ask(tiny_llama, "generate", n=0))


def python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


def test_an_idle_backend_loads_no_torch_and_a_missing_torch_names_the_extra(tiny_llama: Path) -> None:
    run = python(
        "import asyncio, sys\n"
        "from litrag.models.local import LocalBackend\n"
        "from litrag.models.request import ModelRequest\n"
        "backend = LocalBackend()\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
        "sys.modules['torch'] = None\n"
        f"asyncio.run(backend.send(ModelRequest('generate', 'local/{tiny_llama}', 'test')))\n"
    )
    assert "MissingExtra: torch is not installed; install it with: pip install 'litrag[local]'" in run.stderr


@pytest.mark.parametrize("leave", ["await task", "await asyncio.sleep(2)", "raise KeyboardInterrupt"])
def test_a_process_ends_cleanly_while_its_models_are_loaded(tiny_llama: Path, leave: str) -> None:
    """Threads that outlive the interpreter abort the process (exit code 134) after its work was done."""
    run = python(
        "import asyncio\n"
        "import litrag.models.local_worker\n"
        "from litrag.core.types import Message\n"
        "from litrag.models.local import LocalBackend\n"
        "from litrag.models.request import ModelRequest\n"
        "litrag.models.local_worker._PATIENCE = 600\n"
        "backend = LocalBackend()\n"
        f"request = ModelRequest('generate', 'local/{tiny_llama}', 'test', (Message('user', 'a'),),"
        " max_tokens=100, n=64, temperature=1.0)\n"
        "async def main():\n"
        "    task = asyncio.ensure_future(backend.send(request))\n"
        "    await asyncio.sleep(0)\n"
        f"    {leave}\n"
        "asyncio.run(main())\n"
    )
    assert "terminate called" not in run.stderr
    assert run.returncode == (-2 if "Interrupt" in leave else 0)


@pytest.mark.models
async def test_smollm2_knows_the_capital_of_france_in_any_batch() -> None:
    model = "SmolLM2-135M-Instruct"
    question = ask(model, "generate", "What is the capital of France?", max_tokens=12)
    bare = (Message("assistant", "The capital of France is"),)
    score = ask(
        model,
        "score",
        bare,
        continuations=(" Paris.", " London.", " the city that everybody in this room has heard of"),
    )
    answers = await together(
        LocalBackend(), question, score, ask(model, "score", "A longer prompt. " * 20, continuations=(" Yes",))
    )
    assert answers[0].texts == ("The capital of France is Paris.",)
    alone = await LocalBackend(limits=BatchLimits(rows=1)).send(score)
    for one, other in zip(alone.scores, answers[1].scores, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert alone.scores[0].total > alone.scores[1].total + 3
