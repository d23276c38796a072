"""Renders the chart's templates: the part of Helm's language that they keep to, and an error for everything else.

It stands in for `helm template`, which needs a program that tests cannot count on. What it does not know (a function, a
loop over something new) is refused, so that a template cannot leave the checked part unnoticed.
"""

import hashlib
import json
import re

import yaml

WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\(|\)|\||:=|[^\s()|,]+|,')


class TemplateError(Exception):
    """A template is wrong, or uses what is not known here."""


def split(text: str) -> list[tuple[str, str]]:
    """The text as literal pieces and actions, white space trimmed where the dashes say so."""
    pieces, at = [], 0
    for match in re.finditer(r"\{\{(-?)(.*?)(-?)\}\}", text, re.S):
        literal = text[at : match.start()]
        if match[1]:
            literal = literal.rstrip()
        if pieces and pieces[-1][0] == "trim":
            pieces.pop()
            literal = literal.lstrip()
        pieces += [("text", literal), ("action", match[2].strip())]
        if match[3]:
            pieces.append(("trim", ""))
        at = match.end()
    rest = text[at:]
    if pieces and pieces[-1][0] == "trim":
        pieces.pop()
        rest = rest.lstrip()
    return [*pieces, ("text", rest)]


def parse(pieces: list[tuple[str, str]], at: int = 0, inside: str = "") -> tuple[list, int]:
    """Blocks nested; stops at the `end` of the one it is inside of."""
    nodes = []
    while at < len(pieces):
        kind, text = pieces[at]
        at += 1
        word = text.split(None, 1)[0] if kind == "action" and text else ""
        if kind == "text":
            nodes.append(("text", text))
        elif word in ("if", "with", "range", "define"):
            body, at = parse(pieces, at, word)
            nodes.append((word, text[len(word) :].strip(), body))
        elif word == "end":
            if not inside:
                raise TemplateError("an end without a beginning")
            return nodes, at
        elif word == "else":
            raise TemplateError("else is not known here")
        else:
            nodes.append(("value", text))
    if inside:
        raise TemplateError(f"{inside} without an end")
    return nodes, at


def dump(value) -> str:
    return yaml.safe_dump(value, default_flow_style=False, sort_keys=True).rstrip("\n")


def quote(value) -> str:
    return json.dumps("true" if value is True else "false" if value is False else "" if value is None else str(value))


class Chart:
    """Templates by name, and what they may ask about. `used` gathers the paths of values that were asked for."""

    def __init__(self, values: dict, release: str = "r", namespace: str = "n", app_version: str = "1"):
        self.root = {
            "Values": values,
            "Release": {"Name": release, "Namespace": namespace, "Service": "Helm"},
            "Chart": {"AppVersion": app_version},
        }
        self.templates: dict[str, list] = {}
        self.used: set[str] = set()

    def add(self, text: str) -> list:
        nodes, _ = parse(split(text))
        for node in nodes:
            if node[0] == "define":
                self.templates[json.loads(node[1])] = node[2]
        return [node for node in nodes if node[0] != "define"]

    def render(self, nodes: list, dot=None, names: dict | None = None) -> str:
        dot, names = self.root if dot is None else dot, names or {}
        out = []
        for node in nodes:
            if node[0] == "text":
                out.append(node[1])
            elif node[0] == "value":
                value = self.value(node[1], dot, names)
                out.append("true" if value is True else "false" if value is False else str(value))
            elif node[0] == "if":
                out.append(self.render(node[2], dot, names) if self.value(node[1], dot, names) else "")
            elif node[0] == "with":
                value = self.value(node[1], dot, names)
                out.append(self.render(node[2], value, names) if value else "")
            elif node[0] == "range":
                out.append(self.loop(node, dot, names))
        return "".join(out)

    def loop(self, node, dot, names: dict) -> str:
        pair = re.fullmatch(r"(\$\w+), (\$\w+) := (.*)", node[1], re.S)
        if pair:
            items = self.value(pair[3], dot, names) or {}
            return "".join(self.render(node[2], items[key], {**names, pair[1]: key, pair[2]: items[key]}) for key in sorted(items))
        return "".join(self.render(node[2], item, names) for item in self.value(node[1], dot, names) or [])

    def value(self, expression: str, dot, names: dict):
        words = WORD.findall(expression)
        value, rest = self.pipeline(words, dot, names)
        if rest:
            raise TemplateError(f"not understood: {expression}")
        return value

    def pipeline(self, words: list[str], dot, names: dict):
        call, nothing = [], object()
        value = nothing
        while words and words[0] != ")":
            word, *words = words
            if word == "|":
                value, call = self.call(call, value, nothing), []
            elif word == "(":
                inner, words = self.pipeline(words, dot, names)
                if not words or words[0] != ")":
                    raise TemplateError("a bracket is not closed")
                call.append(inner)
                words = words[1:]
            else:
                call.append(self.operand(word, dot, names, first=not call))
        return self.call(call, value, nothing), words

    def call(self, call: list, piped, nothing):
        if not call:
            raise TemplateError("an empty expression")
        head, *arguments = call
        if piped is not nothing:
            arguments = [*arguments, piped]
        if isinstance(head, Function):
            return head.run(self, *arguments)
        if arguments:
            raise TemplateError(f"{head!r} is no function")
        return head

    def operand(self, word: str, dot, names: dict, first: bool):
        if word.startswith('"'):
            return json.loads(word)
        if re.fullmatch(r"-?\d+", word):
            return int(word)
        if word in names:
            return names[word]
        if word == ".":
            return dot
        if word.startswith("."):
            return self.look_up(word, dot)
        if first and word in FUNCTIONS:
            return Function(FUNCTIONS[word])
        raise TemplateError(f"{word} is not known here")

    def look_up(self, path: str, dot):
        value = dot
        for name in path[1:].split("."):
            if not isinstance(value, dict) or name not in value:
                raise TemplateError(f"there is no {path}")
            value = value[name]
        if path.startswith(".Values."):
            self.used.add(path.removeprefix(".Values."))
        return value


class Function:
    """A known function."""

    def __init__(self, run):
        self.run = run


def nindent(_, width: int, text: str) -> str:
    return "\n" + "\n".join(" " * width + line if line else line for line in text.split("\n"))


FUNCTIONS = {
    "quote": lambda _, value: quote(value),
    "toYaml": lambda _, value: dump(value),
    "nindent": nindent,
    "default": lambda _, other, value: value or other,
    "not": lambda _, value: not value,
    "add": lambda _, *numbers: sum(numbers),
    "join": lambda _, between, items: between.join(map(str, items)),
    "printf": lambda _, form, *values: form.replace("%v", "%s") % values,
    "sha256sum": lambda _, text: hashlib.sha256(text.encode()).hexdigest(),
    "include": lambda chart, name, dot: chart.render(chart.templates[name], dot),
}
