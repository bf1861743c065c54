"""XML, which the API returns unless a request asks for JSON."""

from xml.sax.saxutils import escape, quoteattr

import msgspec


def to_xml(body: bytes) -> bytes:
    """Write the answer in a JSON body as XML: envelope values are attributes, fields are elements."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>' + _element("ImpactRadiusResponse", msgspec.json.decode(body)).encode()
    )


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        return f"<{name}>{''.join(_element(name.removesuffix('s'), entry) for entry in value)}</{name}>"
    if isinstance(value, dict):
        attributes = "".join(
            f" {key[1:]}={quoteattr(str(entry))}" for key, entry in value.items() if key.startswith("@")
        )
        children = "".join(_element(key, entry) for key, entry in value.items() if not key.startswith("@"))
        return f"<{name}{attributes}>{children}</{name}>"
    return f"<{name}>{'' if value is None else escape(str(value))}</{name}>"
