"""From messages to token ids, the same way for inference and for training.

A conversation goes through the tokenizer's chat template where there is one, else its contents are joined by blank
lines; a conversation of assistant messages only is plain text to be continued, without template. Control tokens that
stand in contents are text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from litrag.core.types import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["PromptCoder"]


class PromptCoder:
    """The prompts of one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer: Any = tokenizer
        added = (str(token) for token in self._tokenizer.added_tokens_decoder.values() if token.special)
        self._control = tuple(token for token in (*self._tokenizer.all_special_tokens, *added) if len(token) > 1)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation up to where the reply begins; at least one."""
        if self._bare(messages):
            ids = self.plain(_joined(messages), add_special_tokens=True)
        else:
            chat = [{"role": m.role, "content": self._defused(m.content)} for m in messages]
            ids = list(self._tokenizer(self._templated(chat), add_special_tokens=False)["input_ids"])
        start = self._tokenizer.bos_token_id
        return ids or [self._tokenizer.eos_token_id or 0 if start is None else start]

    def reply(self, messages: Sequence[Message], text: str) -> list[int]:
        """Token ids of a reply after a conversation. After plain text both are read as one: SentencePiece puts a blank before every text it
        reads, and one that has a blank would get two. After a template, and where the boundary falls into a token, they are the reply's alone."""
        if self._bare(messages) and not any(token in text for token in self._control):
            before = self.prompt(messages)
            whole = self.plain(_joined(messages) + text, add_special_tokens=True)
            if whole[: len(before)] == before:
                return whole[len(before) :]
        return self.plain(text)

    def _bare(self, messages: Sequence[Message]) -> bool:
        """Whether a conversation is text to be continued, without template."""
        return not getattr(self._tokenizer, "chat_template", None) or all(m.role == "assistant" for m in messages)

    def plain(self, text: str, *, add_special_tokens: bool = False) -> list[int]:
        """Token ids of a text in which control tokens are text like any other."""
        tokens = self._tokenizer(text, add_special_tokens=add_special_tokens, split_special_tokens=True)
        return list(tokens["input_ids"])

    def _defused(self, content: str) -> str:
        """A paper that holds "<|im_end|>" must not end the turn it is quoted in."""
        for token in self._control:
            if token in content:
                content = content.replace(token, f"{token[0]} {token[1:]}")
        return content

    def _templated(self, chat: list[dict[str, str]]) -> str:
        from jinja2 import TemplateError

        last = chat[-1]["role"] == "assistant"
        options = {"tokenize": False, "add_generation_prompt": not last, "continue_final_message": last}
        try:
            return str(self._tokenizer.apply_chat_template(chat, **options))
        except TemplateError:  # templates such as Gemma's refuse the system role: it goes before the first message then
            if chat[0]["role"] != "system" or len(chat) < 2:
                raise
            first = {"role": chat[1]["role"], "content": f"{chat[0]['content']}\n\n{chat[1]['content']}"}
            return str(self._tokenizer.apply_chat_template([first, *chat[2:]], **options))


def _joined(messages: Sequence[Message]) -> str:
    return "\n\n".join(message.content for message in messages)
