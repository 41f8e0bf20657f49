"""Results for readers: text, tables, pages and pictures."""
