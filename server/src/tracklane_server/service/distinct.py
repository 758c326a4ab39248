"""Keys that must not repeat within one request."""

from tracklane_server.contract.errors import InvalidParameterValue


def distinct(pairs: tuple[tuple[str, str], ...], field: str = "tags") -> dict[str, str]:
    """The pairs as a mapping.

    Raises:
        InvalidParameterValue: a key occurs twice, even with equal values.
    """
    mapping: dict[str, str] = {}
    for key, value in pairs:
        if key in mapping:
            raise InvalidParameterValue(f"Invalid {field}: key '{key}' is given more than once in one request")
        mapping[key] = value
    return mapping
