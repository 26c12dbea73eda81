"""The sandbox in which templates run: strict variables, nothing that makes much out of little."""

from __future__ import annotations

from pathlib import Path

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from worker.local_time import LocalTime

_BLOWING_UP = ("center", "format", "indent", "tojson", "wordwrap", "xmlattr")


class Sandbox(ImmutableSandboxedEnvironment):
    """Also without what makes much out of little: a slip in a template must not cost the worker its memory."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: object, right: object) -> object:
        """Multiply, small numbers only."""
        if operator == "**" or not all(isinstance(each, (int, float)) for each in (left, right)):
            raise SecurityError(f"a template may multiply numbers only, not {type(left).__name__} {operator}")
        return super().call_binop(context, operator, left, right)


def environment(templates_dir: Path, language: str, zone: str) -> Sandbox:
    """The templates of a language, English where it has none."""
    folders = [str(templates_dir / language), str(templates_dir / "en"), str(templates_dir)]
    made = Sandbox(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    for name in _BLOWING_UP:
        del made.filters[name]
    made.globals.clear()
    local = LocalTime(language, zone)
    made.filters.update(when=local.when, left=local.left, span=local.span)
    return made
