"""The MCP server: the tools and resources in the protocol's terms, by the official SDK, and over standard input and output."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType
from typing import Any, BinaryIO, Final

import anyio
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)

from litrag import __version__
from litrag.core.errors import BadInput, LitragError
from litrag.pipelines.runs import list_runs
from litrag.serving.mcp_answers import Answer
from litrag.serving.mcp_arguments import compact, outline
from litrag.serving.mcp_resources import FILES, ROOTS, read_resource
from litrag.serving.mcp_tools import TOOLS, Desk, called

__all__ = ["serve_stdio", "server_of"]

_NEWEST: Final = 20  # finished reviews that the list of resources names
_WORD: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_HOW: Final = (
    "litrag finds papers and writes related-work sections whose every citation is real. search finds papers; review writes from an abstract,"
    " get_evidence says what a sentence rests on, export gives the text, verify checks the citations of any text."
)
_Context = ServerRequestContext[Any, Any]


def server_of(desk: Desk) -> Server[Any]:
    """The server, which speaks over any transport of the SDK."""

    async def list_tools(context: _Context, asked: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=_tools())

    async def call_tool(context: _Context, asked: CallToolRequestParams) -> CallToolResult:
        if asked.name not in TOOLS:
            raise MCPError(INVALID_PARAMS, f"no tool named {asked.name[:60]!r}; there is: {', '.join(TOOLS)}")
        try:
            answer = await called(desk, asked.name, asked.arguments, context.session.report_progress)
        except LitragError as error:
            return _failed(" ".join(str(error).split()))
        except Exception as error:  # a bug must not end the others' calls
            traceback.print_exception(error)
            return _failed(f"bug in litrag: {type(error).__name__}; the server's standard error has the rest")
        return _result(answer)

    async def list_resources(context: _Context, asked: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=_resources())

    async def list_templates(context: _Context, asked: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        templates = [
            ResourceTemplate(name=name, uri_template=f"litrag://runs/{{run_id}}/{name}", mime_type=kind)
            for name, kind in FILES.items()
        ]
        return ListResourceTemplatesResult(resource_templates=templates)

    async def read(context: _Context, asked: ReadResourceRequestParams) -> ReadResourceResult:
        try:
            content = read_resource(str(asked.uri))
        except LitragError as error:
            code = INVALID_PARAMS if isinstance(error, BadInput) else INTERNAL_ERROR
            raise MCPError(code, " ".join(str(error).split())) from error
        text = TextResourceContents(uri=asked.uri, mime_type=content.kind, text=content.text)
        return ReadResourceResult(contents=[text])

    return Server(
        "litrag",
        version=__version__,
        instructions=_HOW,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read,
    )


def serve_stdio(desk: Desk, wire: BinaryIO) -> None:
    """Serves one client until it closes standard input. What it waited for is stopped then, and where a signal ends the server."""
    with _stopping(desk):
        asyncio.run(_over_stdio(server_of(desk), wire))


async def _over_stdio(server: Server[Any], wire: BinaryIO) -> None:
    output = anyio.wrap_file(TextIOWrapper(wire, encoding="utf-8", newline="\n"))
    async with stdio_server(stdout=output) as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


@contextmanager
def _stopping(desk: Desk) -> Iterator[None]:
    """A signal that ends the server stops the reviews that were waited for. Standard input is read on a thread that nothing else can end."""

    def leave(number: int, frame: FrameType | None) -> None:
        desk.reviews.stop_all()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tools() -> list[Tool]:
    return [
        Tool(
            name=name,
            description=tool.does,
            input_schema=compact(tool.takes),
            output_schema=outline(tool.gives),
            annotations=ToolAnnotations(read_only_hint=not tool.changes, open_world_hint=tool.outside),
        )
        for name, tool in TOOLS.items()
    ]


def _resources() -> list[Resource]:
    roots = [
        Resource(name=address.rpartition("/")[2], uri=address, description=what, mime_type="application/json")
        for address, what in ROOTS.items()
    ]
    done = [run for run in list_runs() if run.state()[0] == "done"][:_NEWEST]
    reviews = [
        Resource(name=f"{run.id}/review.md", uri=f"litrag://runs/{run.id}/review.md", mime_type="text/markdown")
        for run in done
    ]
    return [*roots, *reviews]


def _result(answer: Answer) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(text=answer.text)]
    if answer.file is not None:
        name, data = answer.file
        blob = BlobResourceContents(
            uri=f"litrag://exports/{name}", mime_type=_WORD, blob=base64.b64encode(data).decode()
        )
        content.append(EmbeddedResource(resource=blob))
    return CallToolResult(
        content=content,
        structured_content=answer.data.model_dump(mode="json", exclude_unset=True),
        is_error=answer.failed,
    )


def _failed(line: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=line)], is_error=True)
