"""llama.cpp's OpenAI-compatible server over SmolLM2, in a process of its own: `python llama_server.py GGUF GPU_LAYERS` prints its port and ends with its
standard input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litrag.core.paths import models_folder

__all__ = ["GGUF", "llama_server"]

GGUF = models_folder() / "SmolLM2-135M-Instruct" / "SmolLM2-135M-Instruct.Q4_1.gguf"


@contextmanager
def llama_server(gguf: Path, *, gpu_layers: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Base URL and process of a running server: chat, JSON schemas, log-probabilities and embeddings, four requests at a time."""
    for _ in range(2):  # another process may take the port before the server does
        with _started(gguf, gpu_layers) as (process, port):
            if port:
                yield f"http://127.0.0.1:{port}/v1", process
                return
    raise AssertionError("the server ended before it told its port")


@contextmanager
def _started(gguf: Path, gpu_layers: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process and the port that it told, "" where it ended before."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(gguf), str(gpu_layers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process, next((line.split()[1] for line in process.stdout if line.startswith("PORT ")), "")
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()


def _serve(gguf: str, gpu_layers: int) -> None:
    import socket

    import xllamacpp

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path, params.port = gguf, port
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 16384, 4, False, 0
    params.embedding, params.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.cpuparams.n_threads, params.n_gpu_layers = 2, gpu_layers
    server = xllamacpp.Server(params)
    sys.stdout.write(f"\nPORT {port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    del server


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
