"""HTML to paper: WeasyPrint where the extra ``pdf`` and Pango are there (decision 10)."""

import importlib
from pathlib import Path

from careplane.errors import MissingExtra


def write_pdf(html: str, path: Path) -> Path:
    """Print HTML to a PDF.

    Raises:
        MissingExtra: WeasyPrint or the libraries that it needs are not installed.
    """
    try:
        weasyprint = importlib.import_module("weasyprint")
    except ImportError as error:
        raise MissingExtra("WeasyPrint, which prints the PDF,", "pdf") from error
    except OSError as error:
        libraries = "Pango, which WeasyPrint needs (Debian: libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0),"
        raise MissingExtra(libraries, "pdf") from error
    weasyprint.HTML(string=html, base_url=".").write_pdf(path)
    return path
