from __future__ import annotations

from pathlib import Path

import pytest

from litrag.core.errors import BadInput
from litrag.core.settings import EMBEDDING_MODEL, Settings, load_settings


def test_options_win_over_variables_and_variables_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "own.toml"
    config.write_text('papers = 5\nmax_calls = 5\nmax_tokens = 5\nmodel = "openai/x"\n')
    monkeypatch.setenv("LITRAG_MAX_CALLS", "6")
    monkeypatch.setenv("LITRAG_MAX_TOKENS", "6")
    settings = load_settings(config, max_tokens=7, max_cost=None)
    assert (settings.papers, settings.max_calls, settings.max_tokens, settings.max_cost) == (5, 6, 7, 1.0)


def test_the_users_file_is_read_and_the_folders_wins(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (home / "litrag.toml").write_text("papers = 5\nseed = 5\n")
    (tmp_path / "litrag.toml").write_text("papers = 6\n")
    assert (load_settings().papers, load_settings().seed) == (6, 5)


def test_keys_of_providers_are_read_from_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_API_KEY", "")
    monkeypatch.delenv("SOME_API_KEY")
    (tmp_path / ".env").write_text("SOME_API_KEY=k\nLITRAG_PAPERS=9\n")
    assert load_settings().papers == 9


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("pappers = 5", "pappers"),
        ("papers = 0", "papers"),
        ('profile = "cloud"', "profile"),
        ("papers = ", "cannot be read as TOML"),
        ('profile = "api"', "needs a model"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path, text: str, match: str) -> None:
    config = tmp_path / "own.toml"
    config.write_text(text)
    with pytest.raises(BadInput, match=match):
        load_settings(config)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITRAG_PAPERS", "many")
    with pytest.raises(BadInput, match="LITRAG_PAPERS"):
        load_settings()


def test_no_role_falls_back_to_a_remote_model() -> None:
    """Users of local models must be sure that no text leaves their machine."""
    settings = Settings()
    assert {settings.role_model(role) for role in ("rewrite", "rerank", "plan", "write", "verify")} == {None}
    assert settings.role_model("embed") == EMBEDDING_MODEL
    assert Settings(model="openai/x", api_base="http://h").role_base("embed") is None
