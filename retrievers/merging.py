"""One record a paper: results of several queries and sources merged by DOI, arXiv id, Semantic Scholar's or OpenAlex's id, or title
with year and first author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import combinations
from typing import Final

from litrag.core.names import surname
from litrag.core.types import Paper, normalised_title
from litrag.retrievers.normal_forms import arxiv_id, arxiv_id_in, doi

__all__ = ["merge", "with_origin"]

_FIELDS: Final = tuple(field.name for field in fields(Paper) if field.name not in ("id", "provenance", "aliases"))
_LASTING: Final = ("s2:", "openalex:")  # starts of ids that mean one work in every run


def with_origin(paper: Paper, source: str) -> Paper:
    """The paper, its filled fields marked as given by a source."""
    return replace(paper, provenance={name: source for name in _FIELDS if getattr(paper, name)})


def merge(papers: Sequence[Paper]) -> tuple[tuple[Paper, ...], Mapping[str, str]]:
    """The distinct papers in order of first appearance, and for every given id the id of its merged record.

    Same paper, the stronger evidence first: equal id or DOI; equal arXiv id, whatever its version; an id of Semantic Scholar or
    OpenAlex that one has and the other has, or had before it was merged; equal normalised title, years at most one apart where both
    are known, and the same first author. Below the DOI all evidence joins merged records, not single ones, and never two DOIs of
    publishers. The record with the most text gives id and fields; what it lacks comes from the others. Merging again changes
    nothing."""
    groups = _Groups(papers)
    _join_named(groups, [[f"id:{p.id}", *(f"doi:{number}" for number in _publisher_doi(p))] for p in papers])
    _join_named(groups, [_arxiv(p) for p in papers], apart=True)
    _join_named(groups, [_lasting(p) for p in papers], apart=True)
    titled: dict[str, list[int]] = {}
    for i, paper in enumerate(papers):
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

    def dois(self, i: int) -> set[str]:
        """The publishers' DOIs in a group."""
        return {number for n in self.members[self.root(i)] for number in _publisher_doi(self._papers[n])}

    def united(self, i: int) -> Paper:
        """One record of the group, field by field: the one with the most text first, ties in order of appearance. Year and day come
        from one record, the first that knows the day, or else the year; a publisher's DOI goes before a preprint's."""
        ranked = sorted((self._papers[n] for n in self.members[self.root(i)]), key=lambda paper: -len(paper.text))
        dated = next((p for p in ranked if p.published), next((p for p in ranked if p.year), ranked[0]))
        givers = {name: next((p for p in ranked if getattr(p, name)), ranked[0]) for name in _FIELDS}
        givers |= {"year": dated, "published": dated}
        givers["doi"] = next((p for p in ranked if _publisher_doi(p)), givers["doi"])
        told = [p for p in ranked if p.imprint and _one_publication(p, givers["venue"], givers["doi"])]
        givers["imprint"] = told[0] if told else ranked[0]
        values = {name: getattr(giver, name) for name, giver in givers.items()}
        values["imprint"] = {name: value for p in reversed(told) for name, value in p.imprint.items()}
        provenance = {name: giver.provenance[name] for name, giver in givers.items() if name in giver.provenance}
        if not values["arxiv_id"] and (preprint := next((p for p in ranked if _arxiv(p)), None)) is not None:
            values["arxiv_id"] = arxiv_id_in(preprint.doi)
            provenance |= {"arxiv_id": preprint.provenance["doi"]} if "doi" in preprint.provenance else {}
        others = dict.fromkeys(name for paper in ranked for name in _lasting(paper) if name != ranked[0].id)
        return replace(ranked[0], **values, provenance=provenance, aliases=tuple(others))


def _join_named(groups: _Groups, names: Sequence[Sequence[str]], *, apart: bool = False) -> None:
    """Joins records that share a name with the first that has it; with `apart` not those that hold different DOIs of publishers."""
    first: dict[str, int] = {}
    for i, own in enumerate(names):
        for name in own:
            j = first.setdefault(name, i)
            if not apart or _one_doi(groups.dois(i), groups.dois(j)):
                groups.join(i, j)


def _join_titled(groups: _Groups, positions: Sequence[int]) -> bool:
    joined = False
    for i, j in combinations(dict.fromkeys(map(groups.root, positions)), 2):
        if groups.root(i) == groups.root(j) or not _one_doi(groups.dois(i), groups.dois(j)):
            continue
        if _compatible(groups.united(i), groups.united(j)):
            groups.join(i, j)
            joined = True
    return joined


def _one_doi(ours: set[str], theirs: set[str]) -> bool:
    return not ours or not theirs or ours == theirs


def _publisher_doi(paper: Paper) -> list[str]:
    """None for arXiv's own, which names the same thing as the arXiv id."""
    number = "" if arxiv_id_in(paper.doi) else doi(paper.doi)
    return [number] if number else []


def _one_publication(paper: Paper, placed: Paper, numbered: Paper) -> bool:
    """Whether a volume that the paper tells is of the venue of `placed`, or of the publisher's DOI of `numbered`: a preprint has another."""
    number = _publisher_doi(paper)
    return paper.venue.casefold() == placed.venue.casefold() or bool(number and number == _publisher_doi(numbered))


def _arxiv(paper: Paper) -> list[str]:
    return [number for number in (arxiv_id(paper.arxiv_id), arxiv_id_in(paper.doi)) if number]


def _lasting(paper: Paper) -> list[str]:
    """The ids under which Semantic Scholar and OpenAlex know the paper, its own first."""
    return [name for name in (paper.id, *paper.aliases) if name.startswith(_LASTING)]


def _compatible(a: Paper, b: Paper) -> bool:
    if a.year and b.year and abs(a.year - b.year) > 1:
        return False
    if a.authors and b.authors:
        return normalised_title(surname(a.authors[0])) == normalised_title(surname(b.authors[0]))
    return True
