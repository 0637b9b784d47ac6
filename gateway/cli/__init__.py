"""The command line: one small module per group of commands. Knows how to ask and how to print; decides nothing."""
