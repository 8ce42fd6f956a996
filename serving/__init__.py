"""Faces of the review over the network: what a web page and an MCP server share, and each of them. Runs are the command line's runs."""
