"""One record a paper: results of several queries and sources merged by DOI, arXiv id, or title with year and first author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import combinations
from typing import Final

from litrag.core.names import surname
from litrag.core.types import Paper, normalised_title
from litrag.retrievers.normal_forms import arxiv_id, arxiv_id_in, doi

__all__ = ["merge", "with_origin"]

_FIELDS: Final = tuple(field.name for field in fields(Paper) if field.name not in ("id", "provenance"))


def with_origin(paper: Paper, source: str) -> Paper:
    """The paper, its filled fields marked as given by a source."""
    return replace(paper, provenance={name: source for name in _FIELDS if getattr(paper, name)})


def merge(papers: Sequence[Paper]) -> tuple[tuple[Paper, ...], Mapping[str, str]]:
    """The distinct papers in order of first appearance, and for every given id the id of its merged record.

    Same paper: equal id; equal DOI; equal arXiv id, whatever its version; or equal normalised title, years at most one apart where
    both are known, the same first author and the same publisher's DOI where both are known. A title joins merged records, not single
    ones, so that a record without a DOI cannot make one paper of two DOIs. The record with the most text gives id and fields; what it
    lacks comes from the others. Merging again changes nothing."""
    groups = _Groups(papers)
    first: dict[str, int] = {}
    titled: dict[str, list[int]] = {}
    for i, paper in enumerate(papers):
        for name in _identifiers(paper):
            groups.join(i, first.setdefault(name, i))
        titled.setdefault(normalised_title(paper.title), []).append(i)
    titled.pop("", None)
    joined = True
    while joined:
        joined = any(_join_titled(groups, same_title) for same_title in titled.values())
    merged = {root: groups.united(root) for root in sorted(groups.members)}
    same = {paper.id: merged[groups.root(i)].id for i, paper in enumerate(papers)}
    return tuple(merged.values()), same


class _Groups:
    """Union-find over positions; a group goes by its first position."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        self._papers, self._parent = papers, list(range(len(papers)))
        self.members = {i: [i] for i in range(len(papers))}

    def root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        first, second = sorted((self.root(i), self.root(j)))
        if first != second:
            self._parent[second] = first
            self.members[first] = sorted(self.members[first] + self.members.pop(second))

    def united(self, i: int) -> Paper:
        """One record of the group, field by field: the one with the most text first, ties in order of appearance. Year and day come
        from one record, the first that knows the day, or else the year."""
        ranked = sorted((self._papers[n] for n in self.members[self.root(i)]), key=lambda paper: -len(paper.text))
        dated = next((p for p in ranked if p.published), next((p for p in ranked if p.year), ranked[0]))
        givers = {name: next((p for p in ranked if getattr(p, name)), ranked[0]) for name in _FIELDS}
        givers |= {"year": dated, "published": dated}
        provenance = {name: giver.provenance[name] for name, giver in givers.items() if name in giver.provenance}
        return replace(
            ranked[0], **{name: getattr(giver, name) for name, giver in givers.items()}, provenance=provenance
        )


def _join_titled(groups: _Groups, positions: Sequence[int]) -> bool:
    joined = False
    for i, j in combinations(dict.fromkeys(map(groups.root, positions)), 2):
        if groups.root(i) != groups.root(j) and _compatible(groups.united(i), groups.united(j)):
            groups.join(i, j)
            joined = True
    return joined


def _identifiers(paper: Paper) -> list[str]:
    """Preprints on arXiv have a DOI, which names the same thing as their arXiv id."""
    arxiv = arxiv_id(paper.arxiv_id) or arxiv_id_in(paper.doi)
    names = {"id": paper.id, "doi": _publisher_doi(paper), "arxiv": arxiv}
    return [f"{kind}:{name}" for kind, name in names.items() if name]


def _publisher_doi(paper: Paper) -> str:
    return "" if arxiv_id_in(paper.doi) else doi(paper.doi)


def _compatible(a: Paper, b: Paper) -> bool:
    ours, theirs = _publisher_doi(a), _publisher_doi(b)
    if ours and theirs and ours != theirs:
        return False
    if a.year and b.year and abs(a.year - b.year) > 1:
        return False
    if a.authors and b.authors:
        return normalised_title(surname(a.authors[0])) == normalised_title(surname(b.authors[0]))
    return True
