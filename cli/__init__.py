"""The command line: parse, one call, show. Nothing heavy is imported before a command runs."""
