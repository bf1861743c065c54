"""Tables that a user hands over: CSV or Parquet files, or rows of a query, as texts with the line of each row.

Nothing is guessed: an unknown or missing column, a row with a cell too many, bytes that are not UTF-8 and an id that a
spreadsheet has shortened are errors that name the line. Numbers stay as written; `macros.sql` reads them.
"""

from .form import Form, Lacks
from .reading import MACROS, read_arrow, read_file, shown

__all__ = ["MACROS", "Form", "Lacks", "read_arrow", "read_file", "shown"]
