"""The verdict of an audit as text, JSON and a page."""
