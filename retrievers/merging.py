"""One record a paper: results of several queries and sources merged by DOI, arXiv id, or title with year and first author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from litrag.core.names import surname
from litrag.core.types import Paper, normalised_title

__all__ = ["merge"]


def merge(papers: Sequence[Paper]) -> tuple[tuple[Paper, ...], Mapping[str, str]]:
    """The distinct papers in order of first appearance, and for every given id the id of its merged record.

    Same paper: equal DOI; equal arXiv id (version-less); or equal normalised title, years at most one apart where both are
    known, and the same first author where both are known. The record with the most text gives id and fields; what it lacks
    comes from the others."""
    parent = list(range(len(papers)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    exact: dict[str, int] = {}
    titles: dict[str, list[int]] = {}
    for i, paper in enumerate(papers):
        for name in _identifiers(paper):
            j = exact.setdefault(name, i)
            parent[max(root(i), root(j))] = min(root(i), root(j))
        for j in titles.setdefault(normalised_title(paper.title), []):
            if _compatible(paper, papers[j]):
                parent[max(root(i), root(j))] = min(root(i), root(j))
        titles[normalised_title(paper.title)].append(i)
    groups: dict[int, list[Paper]] = {}
    for i, paper in enumerate(papers):
        groups.setdefault(root(i), []).append(paper)
    merged = tuple(_united(group) for group in groups.values())
    same = {paper.id: one.id for one, group in zip(merged, groups.values(), strict=True) for paper in group}
    return merged, same


def _identifiers(paper: Paper) -> list[str]:
    names = [f"id:{paper.id}"]
    if paper.doi:
        names.append(f"doi:{paper.doi.lower()}")
    if paper.arxiv_id:
        names.append(f"arxiv:{paper.arxiv_id.lower()}")
    return names


def _compatible(a: Paper, b: Paper) -> bool:
    if a.doi and b.doi and a.doi.lower() != b.doi.lower():
        return False
    if a.year and b.year and abs(a.year - b.year) > 1:
        return False
    if a.authors and b.authors:
        return normalised_title(surname(a.authors[0])) == normalised_title(surname(b.authors[0]))
    return True


def _united(group: Sequence[Paper]) -> Paper:
    """Field by field; among the group's papers the richest first, ties in order of appearance."""
    ranked = sorted(group, key=lambda paper: -len(paper.text))
    best = ranked[0]
    gaps = {
        field.name: next((getattr(p, field.name) for p in ranked if getattr(p, field.name)), getattr(best, field.name))
        for field in fields(Paper)
        if not getattr(best, field.name)
    }
    return replace(best, **gaps)
