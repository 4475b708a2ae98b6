"""The report: results.json, figures, safe display, the HTML page, README's numbers."""
