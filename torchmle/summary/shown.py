"""How whatever can be drawn as text, HTML and LaTeX shows itself: printed, and in a notebook."""

from __future__ import annotations

from abc import abstractmethod


class Shown:
    """Text where it is printed, HTML or LaTeX where a notebook asks for them."""

    @abstractmethod
    def as_text(self) -> str:
        """Plain text."""

    @abstractmethod
    def as_html(self) -> str:
        """HTML."""

    @abstractmethod
    def as_latex(self) -> str:
        """LaTeX."""

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()

    def _repr_latex_(self) -> str:
        return self.as_latex()
