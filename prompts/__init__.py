"""Prompt templates as files in git: read, checked, rendered. Knows no HTTP, tenant or engine."""
