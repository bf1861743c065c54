"""`impact report`: one HTML file from the views.

`scope` asks the views, `gather` reads `figures` from them; `headline`, `charts` and `tables` say what the page shows.
"""
