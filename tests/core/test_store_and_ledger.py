from __future__ import annotations

import sqlite3
import threading
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from litrag.core.budget import Spend
from litrag.core.database import Database
from litrag.core.errors import BadInput, CannotWrite
from litrag.core.ledger import Ledger
from litrag.core.protocols import Usage
from litrag.core.store import RequestCache, Store, digest
from litrag.core.types import Document, Hit, Paper, Query, Ranking, Score


def test_what_is_stored_comes_back_equal_and_the_same_value_has_the_same_id(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.sqlite")
    papers = (Paper("a", "T", "x", ("A B",), 2018, published=date(2018, 5, 1)),)
    query = Query("q", before=date(2019, 1, 1), exclude=frozenset({"x"}))
    ranking = Ranking(query, (Hit(Document("a", "t", "x", {"year": 3}), (Score(1.5, "bm25", "q", 1),)),))
    name = store.put(papers, tuple[Paper, ...])
    assert store.put(papers, tuple[Paper, ...]) == name
    store.close()
    again = Store(tmp_path / "run.sqlite")
    assert again.get(name, tuple[Paper, ...]) == papers
    assert again.get(again.put(ranking, Ranking), Ranking) == ranking


def test_names_are_remembered_and_unknown_bodies_raise() -> None:
    store = Store(":memory:")
    assert store.recall("x") is None
    store.remember("x", store.put([1], list[int]))
    assert store.get(store.recall("x") or "", list[int]) == [1]
    with pytest.raises(KeyError):
        store.get("nothing", int)


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_vectors_are_cached_by_key() -> None:
    cache = RequestCache(":memory:")
    rows = np.eye(2, dtype=np.float32)
    cache.keep_vectors(["aa", "bb"], rows)
    found = cache.vectors(["bb", "cc"])
    assert list(found) == ["bb"]
    assert np.array_equal(found["bb"], rows[1])
    cache.clear()
    assert cache.counts() == {"replies": 0, "vectors": 0}


def test_a_call_lost_in_flight_counts_with_its_estimate_and_its_repetition_is_counted(tmp_path: Path) -> None:
    """After a kill nobody knows whether the provider billed the call: it counts as spent, and sending it again is told."""
    first = Ledger(tmp_path / "run.sqlite")
    first.sent("write", "m", "generate", "k1", Usage(100, 50, 0.01))
    row = first.sent("write", "m", "generate", "k2", Usage(100, 50, 0.01))
    first.done(row, Usage(80, 20, 0.005))
    first.close()
    second = Ledger(tmp_path / "run.sqlite")
    assert second.spend() == Spend(calls=2, tokens=250, cost=0.015)
    second.done(second.sent("write", "m", "generate", "k1", Usage(100, 50, 0.01)), Usage(90, 10, 0.004))
    assert second.totals().repeated == 1
    assert second.totals().calls == 3


def test_a_lost_call_whose_answer_was_cached_is_no_repetition(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "run.sqlite")
    first.sent("write", "m", "generate", "k", Usage(100, 50))
    first.close()
    second = Ledger(tmp_path / "run.sqlite")
    second.cached("write", "m", "generate", "k")
    assert (second.totals().calls, second.totals().cached, second.totals().repeated) == (1, 1, 0)
    assert second.rows()[0].status == "done"


def test_a_database_that_is_none_is_bad_input_and_a_closed_place_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database, but long enough to look like one" * 50)
    with pytest.raises(BadInput, match=r"x\.sqlite is not a litrag database"):
        Database(tmp_path / "x.sqlite", "CREATE TABLE IF NOT EXISTS t (a)")
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="file"):
        Database(tmp_path / "file" / "x.sqlite", "")


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite", "CREATE TABLE IF NOT EXISTS t (a)")
    database.write("PRAGMA max_page_count = 3")
    with pytest.raises(CannotWrite, match="full"):
        database.write("INSERT INTO t VALUES (?)", ("x" * 100_000,))
    with pytest.raises(CannotWrite, match="full"):
        database.write_many("INSERT INTO t VALUES (?)", [("x" * 100_000,)])
    assert database.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    """Changing to a write-ahead log fails at once where another holds the lock, whatever time-out SQLite was given."""
    path = tmp_path / "new.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    free = threading.Timer(0.4, other.execute, ["ROLLBACK"])
    free.start()
    database = Database(path, "CREATE TABLE IF NOT EXISTS u (x)")
    assert database.rows("PRAGMA journal_mode") == [("wal",)]
    free.join()
    database.close()
    other.close()
