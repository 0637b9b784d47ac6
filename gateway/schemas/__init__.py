"""JSON Schemas and what answers must satisfy: compiled, linted, checked whole and while they stream."""

from gateway.schemas.validators import KEPT, SHOWN_FAULTS, Schemas

__all__ = ["KEPT", "SHOWN_FAULTS", "Schemas"]
