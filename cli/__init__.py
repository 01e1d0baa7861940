"""The command line: each command parses, calls tsea_db and prints."""
