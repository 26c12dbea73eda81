"""The sandbox in which templates run: strict variables, nothing that makes much out of little, and a limit of steps.

A step is an entry of a loop, a call, a filter, or a hundred characters of what these work on. They are counted instead
of timed, so that a template is refused or not refused alike on every machine.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from worker.core.local_time import LocalTime

STEPS = 50_000
"""Of one text. The longest that comes with the worker takes some hundreds, a storm of 5,000 accounts ten thousand."""

_LARGEST_TEXT = 500_000
_LARGEST_NUMBER = 10**15
_CHARACTERS_A_STEP = 100
_BLOWING_UP = ("batch", "center", "format", "indent", "slice", "tojson", "wordwrap", "xmlattr")
_UNSAFE_OF_TEXT = frozenset({"center", "expandtabs", "join", "ljust", "replace", "rjust", "translate", "zfill"})
_ITEMS, _SIZED = "counted items", "counted text"
_Made = TypeVar("_Made")


class TooManyStepsError(SecurityError):
    """A template does more than any text needs."""

    def __init__(self) -> None:
        super().__init__(f"takes more than {STEPS} steps: see its loops, and loops in loops")


class FaultyTemplateError(jinja2.TemplateError):
    """A template that cannot make a text; the message begins with its file and line."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Also without what makes much out of little: a slip in a template must not cost the worker its memory or time."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._left = STEPS

    def counting(self) -> None:
        """A new text begins."""
        self._left = STEPS

    def charge(self, value: object = None) -> None:
        """Take the steps that working on this value is worth."""
        length = len(value) if isinstance(value, (str, list, tuple, dict)) else 0
        self._left -= 1 + length // _CHARACTERS_A_STEP
        if self._left < 0:
            raise TooManyStepsError

    def sized(self, made: _Made) -> _Made:
        """A value that a template made, as long as no text of it is beyond all reason."""
        self.charge(made)
        if isinstance(made, str) and len(made) > _LARGEST_TEXT:
            raise SecurityError(f"makes a text of more than {_LARGEST_TEXT} characters")
        if isinstance(made, int) and abs(made) > _LARGEST_NUMBER:
            raise SecurityError(f"makes a number above {_LARGEST_NUMBER}")
        return made

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The template with every loop and every `~` under count."""
        parsed = super()._parse(source, name, filename)
        for loop in parsed.find_all(nodes.For):
            if loop.recursive:
                raise jinja2.TemplateSyntaxError("a loop may not be recursive", loop.lineno, name, filename)
            loop.iter = nodes.Filter(loop.iter, _ITEMS, [], [], None, None, lineno=loop.lineno)
        return _Concatenations().visit(parsed)  # type: ignore[no-any-return]

    def get_template(self, name: Any, *given: Any, **more: Any) -> jinja2.Template:
        """A template by name; also each time that another includes or imports it."""
        self.charge()
        return super().get_template(name, *given, **more)

    def call(self, context: jinja2.runtime.Context, called: Any, /, *given: Any, **named: Any) -> Any:
        """Call a macro or a method."""
        self.charge(getattr(called, "__self__", None))
        return self.sized(super().call(context, called, *given, **named))

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: object, right: object) -> object:
        """Add anything of reasonable size, multiply small numbers only."""
        if operator != "+" and not all(isinstance(each, (int, float)) for each in (left, right)):
            raise SecurityError(f"a template may calculate with numbers only, not {type(left).__name__} {operator}")
        if operator == "**":
            raise SecurityError("a template may not raise to a power")
        return self.sized(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: object) -> Callable[..., str] | None:  # noqa: ARG002  jinja2 passes it
        """Formatting is no safe method here: `{:>999999999}` makes much out of little."""
        return None

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Also not the methods of a text that pad, repeat or fill it."""
        if isinstance(obj, str) and (attr in _UNSAFE_OF_TEXT or attr.startswith("format")):
            return False
        return super().is_safe_attribute(obj, attr, value)


class _Concatenations(jinja2.visitor.NodeTransformer):
    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  the visitor's own naming
        inner = self.generic_visit(node)
        return nodes.Filter(inner, _SIZED, [], [], None, None, lineno=node.lineno)


@jinja2.pass_environment
def _items(sandbox: Sandbox, values: Iterable[object]) -> Iterator[object]:
    for value in values:
        sandbox.charge()
        yield value


@jinja2.pass_environment
def _sized(sandbox: Sandbox, text: str) -> str:
    return sandbox.sized(text)


@jinja2.pass_eval_context
def _replace(evaluated: nodes.EvalContext, text: str, old: str, new: str, count: int | None = None) -> str:
    """Every `old` in a text becomes `new`."""
    whole, short, long = str(text), str(old), str(new)
    _expect(len(whole) + (whole.count(short) * len(long)))
    return jinja2.filters.do_replace(evaluated, text, old, new, count)


@jinja2.pass_eval_context
def _join(evaluated: nodes.EvalContext, values: Iterable[object], between: str = "", attribute: Any = None) -> str:
    """Values in one line, with something between them."""
    listed = list(values)
    _expect(len(listed) * len(str(between)) + sum(len(each) for each in listed if isinstance(each, str)))
    return jinja2.filters.sync_do_join(evaluated, listed, between, attribute)


def _round(number: float, precision: int = 0) -> float:
    """A number to a few digits behind the point."""
    if abs(precision) > 15:
        raise SecurityError("rounds to more than 15 digits")
    return round(number, precision)


def _expect(length: int) -> None:
    if length > _LARGEST_TEXT:
        raise SecurityError(f"makes a text of more than {_LARGEST_TEXT} characters")


def _counted(sandbox: Sandbox, call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter, under count; what jinja2 passes to it before the value stays as it is."""

    @functools.wraps(call)
    def counted(*given: Any, **named: Any) -> Any:
        for value in given[:2]:
            sandbox.charge(value)
        return sandbox.sized(call(*given, **named))

    return counted


class _Folders(jinja2.FileSystemLoader):
    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        try:
            return super().get_source(environment, template)
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise jinja2.TemplateSyntaxError("is not UTF-8: save it as UTF-8", line, template, template) from error


def environment(templates_dir: Path, language: str, zone: str) -> Sandbox:
    """The templates of a language, English where it has none."""
    folders = [str(templates_dir / language), str(templates_dir / "en"), str(templates_dir)]
    made = Sandbox(
        loader=_Folders(folders),
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
    made.filters.update(replace=_replace, join=_join, round=_round)
    made.filters.update({name: _counted(made, call) for name, call in made.filters.items()})
    made.filters.update({_ITEMS: _items, _SIZED: _sized})
    return made


def text_of(template: jinja2.Template, values: Mapping[str, object], most: int) -> str:
    """The text, or as much of it as is more than enough. Raises FaultyTemplateError, which names file and line."""
    sandbox = template.environment
    assert isinstance(sandbox, Sandbox)
    sandbox.counting()
    pieces, length = list[str](), 0
    try:
        for piece in template.generate(values):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                break
    except jinja2.TemplateSyntaxError as error:
        raise FaultyTemplateError(f"{error.filename or template.filename}:{error.lineno}: {error.message}") from error
    except Exception as error:
        raise FaultyTemplateError(f"{_place(sandbox, template, error)}: {type(error).__name__}: {error}") from error
    finally:
        sandbox.counting()  # whoever opens the next template owes nothing
    return "".join(pieces)[: most + 1]


def _place(sandbox: Sandbox, template: jinja2.Template, error: BaseException) -> str:
    """File and line of the innermost template that an error came through; jinja2 puts both in the traceback."""
    loader = sandbox.loader
    folders = tuple(map(str, loader.searchpath)) if isinstance(loader, jinja2.FileSystemLoader) else ()
    place, at = f"{template.filename}:1", error.__traceback__
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if file.startswith(folders):
            place = f"{file}:{at.tb_lineno}"
        at = at.tb_next
    return place
