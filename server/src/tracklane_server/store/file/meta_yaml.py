"""The text of `meta.yaml`: what PyYAML would write and read, without PyYAML where the text is plain.

PyYAML takes a fifth of a millisecond for a run; the values that nearly all runs have take a twentieth of that here.
Everything unusual is left to PyYAML, so that there is one definition of the format, and it is not ours.
"""

import re
from collections.abc import Mapping
from typing import Any

# Text that YAML neither quotes nor reads as anything but text: words, paths, URIs; hex that is no number.
_PLAIN = re.compile(r"[A-Za-z/][\w/.+\-]*(?::[\w/.+\-]+)*|(?=[0-9]*[a-f])[1-9][0-9a-f]*", re.ASCII)
_PLAIN_WORDS = re.compile(r"[A-Za-z][\w.\-]*(?: [\w.]+)+", re.ASCII)
# PyYAML breaks longer text into lines at blanks.
_FOLDED = 64
_WORDS_THAT_ARE_NO_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_DIGITS = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_INTEGER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_ENTRY = re.compile(r"([a-z_]+): (.+)", re.ASCII)
_CONSTANTS: Mapping[str, Any] = {"null": None, "''": "", "true": True, "false": False}


class Unreadable(ValueError):
    """The text is no YAML mapping."""


def dump(entries: Mapping[str, Any]) -> str:
    """A block mapping, keys sorted, as `yaml.safe_dump(entries, allow_unicode=True)` writes it."""
    return "".join(_dump_entry(key, entries[key]) for key in sorted(entries))


def load(text: str) -> dict[str, Any]:
    """The mapping that `text` holds.

    Raises:
        Unreadable: it holds none.
    """
    entries: dict[str, Any] = {}
    for line in text.split("\n")[:-1]:
        entry = _ENTRY.fullmatch(line)
        if entry is None or not _load_entry(entries, entry[1], entry[2]):
            return _load_any(text)
    return entries if entries and text.endswith("\n") else _load_any(text)


def _dump_entry(key: str, value: Any) -> str:
    if value is None:
        return f"{key}: null\n"
    if type(value) is int:
        return f"{key}: {value}\n"
    if type(value) is str:
        if _is_plain(value) or (len(value) < _FOLDED and _PLAIN_WORDS.fullmatch(value)):
            return f"{key}: {value}\n"
        if _DIGITS.fullmatch(value) or not value:
            return f"{key}: '{value}'\n"
    elif value == [] or value == {}:
        return f"{key}: {value}\n"
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump({key: value}, Dumper=dumper, default_flow_style=False, allow_unicode=True, sort_keys=True)
    return text


def _is_plain(value: str) -> bool:
    return _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS_THAT_ARE_NO_TEXT


def _load_entry(entries: dict[str, Any], key: str, text: str) -> bool:
    """Whether this is one of the simple values."""
    if text in _CONSTANTS:
        entries[key] = _CONSTANTS[text]
    elif _INTEGER.fullmatch(text):
        entries[key] = int(text)
    elif _is_plain(text) or _PLAIN_WORDS.fullmatch(text):
        entries[key] = text
    elif len(text) > 1 and text[0] == text[-1] == "'" and text.count("'") == 2 and text.isprintable():
        entries[key] = text[1:-1]
    elif text in ("[]", "{}"):
        entries[key] = [] if text == "[]" else {}
    else:
        return False
    return True


def _load_any(text: str) -> dict[str, Any]:
    import yaml

    try:
        loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise Unreadable(str(fault)) from fault
    if not isinstance(loaded, dict):
        raise Unreadable("not a mapping")
    return loaded
