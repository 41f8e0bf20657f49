"""The command line: options of each command."""
