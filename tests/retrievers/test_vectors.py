from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litrag.core.types import Filter, Query
from litrag.retrievers.normal_forms import day_number
from litrag.retrievers.rows import Row
from litrag.retrievers.vectors import EdgeIndex, point_id

VENUES = ("Findings of NAACL", "Proceedings of ACL", "Soil", "ÉTUDES", "")
ROWS = [
    Row(f"r{i}", f"p{i % 7}", f"text {i}", 20_000_101 + i % 5 * 10_000, 2000 + i % 5, VENUES[i % 5], f"{i % 3}.pdf")
    for i in range(20)
] + [Row("undated", "p99", "text", venue="Soil", source="0.pdf")]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeIndex]:
    found = EdgeIndex(tmp_path_factory.mktemp("vectors") / "shard", 4)
    vectors = np.ones((len(ROWS), 4), dtype=np.float32)
    vectors[:, 3] = np.arange(len(ROWS)) / 100
    found.upsert(ROWS, vectors)
    yield found
    found.close()


def found(index: EdgeIndex, query: Query) -> set[str]:
    return {name for name, _ in index.search(np.ones(4, dtype=np.float32), query, 100)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    only=st.builds(
        Filter,
        first_year=st.sampled_from([0, 2001, 2003]),
        last_year=st.sampled_from([0, 2002, 2004]),
        venues=st.frozensets(st.sampled_from(["acl", "ACL", "soil", "études", "of n"]), max_size=2),
        sources=st.frozensets(st.sampled_from(["0.pdf", "1.pdf", "x"]), max_size=2),
    ),
    before=st.sampled_from([None, date(2003, 1, 1)]),
    exclude=st.frozensets(st.sampled_from(["p0", "p3", "p99", "nobody"]), max_size=3),
)
def test_what_comes_back_is_what_the_filter_admits(
    index: EdgeIndex, only: Filter, before: date | None, exclude: frozenset[str]
) -> None:
    """BM25 and vectors must agree on what a user asked to see, or the hybrid shows what BM25 has left out."""
    allowed = {
        row.id
        for row in ROWS
        if only.admits(year=row.year, venue=row.venue, source=row.source)
        and (before is None or row.day < day_number(before))
        and row.paper not in exclude
    }
    assert found(index, Query("x", only=only, before=before, exclude=exclude)) == allowed


def test_a_row_whose_facts_changed_is_another_point() -> None:
    row = Row("a", "a", "text", 20_200_101, 2020, "ACL", "a.bib")
    changed = [
        Row("a", "a", "text", 20_200_101, 2020, "EMNLP", "a.bib"),
        Row("a", "a", "text", 0, 2020, "ACL", "a.bib"),
    ]
    assert len({point_id(r) for r in (row, *changed)}) == 3
    assert point_id(row) == point_id(Row("a", "a", "text", 20_200_101, 2020, "ACL", "a.bib"))
