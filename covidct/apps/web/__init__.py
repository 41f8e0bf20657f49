"""The web page, its server and its static copy."""
