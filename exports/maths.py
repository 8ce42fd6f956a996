"""Which formula of others may stand in a LaTeX file: signs and commands listed here, braces that close, no script
twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["harmless"]

_SYMBOLS: Final = frozenset(
    r"""\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu \nu \xi
\pi \varpi \rho \varrho \sigma \varsigma \tau \upsilon \phi \varphi \chi \psi \omega \Gamma \Delta \Theta
\Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi \Omega \infty \ell \partial \nabla \sum \prod \int \cdot \cdots
\ldots \dots \times \pm \mp \ast \star \circ \le \leq \ge \geq \ne \neq \ll \gg \approx \sim \simeq \equiv
\propto \in \notin \subset \subseteq \cup \cap \setminus \emptyset \forall \exists \neg \wedge \vee \oplus
\otimes \to \rightarrow \leftarrow \Rightarrow \leftrightarrow \mapsto \log \exp \min \max \arg \sup \inf \lim
\sin \cos \tan \mid \parallel \perp \quad \langle \rangle \lfloor \rfloor \lceil \rceil \prime \dagger \, \;
\! \:""".split()
)
_ARGUMENTS: Final = {"\\frac": 2} | dict.fromkeys(
    r"\mathbf \mathrm \mathit \mathcal \mathbb \mathsf \mathtt \boldsymbol \hat \bar \tilde \vec \dot \overline \underline \widehat"
    r" \widetilde \sqrt".split(),
    1,
)
_SIGN: Final = re.compile(r"[A-Za-z0-9+\-*/=<>|()\[\].,;:!?]")
_TOKEN: Final = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_DEEP: Final = 20


def harmless(formula: str) -> bool:
    """Whether what stands between two dollar signs is a formula that compiles and does nothing but print."""
    tokens = _TOKEN.findall(formula)
    try:
        return bool(tokens) and _formula(tokens, 0, 0) == len(tokens)
    except (ValueError, IndexError):
        return False


def _formula(tokens: Sequence[str], at: int, depth: int) -> int:
    """The place behind a formula that starts at `at`: the end, or a closing brace. Raises ValueError, IndexError for
    none."""
    scripts: set[str] = set()
    while at < len(tokens) and tokens[at] != "}":
        token = tokens[at]
        if token in "_^":
            if token in scripts:
                raise ValueError(token)
            scripts.add(token)
            at = _script(tokens, at + 1, depth)
        elif token.isspace():
            at += 1
        else:
            scripts = set()
            at = _base(tokens, at, depth)
    return at


def _base(tokens: Sequence[str], at: int, depth: int) -> int:
    token = tokens[at]
    if token == "{":
        return _group(tokens, at, depth)
    if token in _ARGUMENTS:
        at += 1
        for _ in range(_ARGUMENTS[token]):
            at = _group(tokens, at, depth)
        return at
    if token in _SYMBOLS or _SIGN.fullmatch(token):
        return at + 1
    raise ValueError(token)


def _script(tokens: Sequence[str], at: int, depth: int) -> int:
    return _group(tokens, at, depth) if tokens[at] == "{" or tokens[at] in _ARGUMENTS else _base(tokens, at, depth)


def _group(tokens: Sequence[str], at: int, depth: int) -> int:
    if tokens[at] != "{" or depth > _DEEP:
        raise ValueError(tokens[at])
    end = _formula(tokens, at + 1, depth + 1)
    if tokens[end] != "}":
        raise ValueError(tokens[at])
    return end + 1
