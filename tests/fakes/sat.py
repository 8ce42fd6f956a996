"""A SaT model of a few words, in the files of a real one: a sentence ends behind ";", whatever stands around it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def write_sat(folder: Path, words: str) -> str:
    """Writes model, configuration and tokenizer, which knows `words`; returns the folder's path."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    folder.mkdir(parents=True)
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys((*_SPECIAL, ";", *words.split())))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "xlm-token", "id2label": {"0": "LABEL_0"}}))
    values = np.full((len(vocabulary), 1), -9.0, dtype=np.float16)
    values[vocabulary[";"]] = 9.0
    graph = helper.make_graph(
        [helper.make_node("Gather", ["values", "input_ids"], ["logits"])],
        "sat",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["rows", "tokens"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.FLOAT16, ["rows", "tokens"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT16, ["rows", "tokens", 1])],
        [numpy_helper.from_array(values, "values")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model_optimized.onnx")
    return str(folder)
