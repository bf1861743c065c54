"""`impact report`: one HTML file from the views.

`scope` queries the views, `gather` reads `figures` from them; `headline`, `charts` and `listings` lay out the page.
"""
