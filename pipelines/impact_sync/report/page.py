"""The page: one HTML file that makes no requests, with the chart library, styles and data inside."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from . import closed, headline, spans, vega, words
from .charts import draw
from .figures import Figures
from .listings import listings

_VEGA_LITE: Final = "6.4"


def render(figures: Figures) -> str:
    """Render the report as HTML. Everything from the warehouse is escaped, in the markup and in the embedded JSON."""
    page = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html.j2")
    charts = draw(figures)
    return page.render(
        figures=figures,
        words=words,
        panels=headline.panels(figures),
        compared=headline.compared_with(figures),
        badges=headline.badges(figures),
        covered=spans.cards(figures),
        closed=list(closed.listings(figures.closed, figures.zone)) if figures.closed else [],
        charts=charts,
        specs={one.id: one.spec for one in charts if one.spec},
        colour=vega.colour,
        tables=listings(figures),
        style=Markup(style()),  # noqa: S704 - ours
        script=Markup(script()),  # noqa: S704 - ours and the library's
        script_hash=base64.b64encode(hashlib.sha256(script().encode()).digest()).decode(),
    )


def style() -> str:
    """The page's styles, including the colours of the charts."""
    own = files(__package__).joinpath("page.css").read_text("utf-8")
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {vega.styles(vega.DARK)} }} }}"
    return f":root {{ {vega.styles(vega.COLOURS)} }}\n{dark}\n{own}"


@cache
def script() -> str:
    """The page's script including the chart library, escaped for a `script` element."""
    own = files(__package__).joinpath("page.js").read_text("utf-8")
    bundle = str(vl_convert.javascript_bundle(own, vl_version=_VEGA_LITE))
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "")
