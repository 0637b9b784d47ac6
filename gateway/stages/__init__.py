"""The steps of one request, one idea per file: built once with their collaborators, called once per request.

Frozen values in, a frozen value out, or an exception of `gateway.errors`. A stage contains no telemetry and no HTTP.
"""
