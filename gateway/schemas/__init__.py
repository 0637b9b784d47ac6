"""What answers must be: schemas within limits, compiled; answers checked whole, repaired, and followed as they come.

keywords -> shape, limits, monotone    of a schema: how much work it can be, what is too much, what holds early
validators -> worker <- workers        one schema, compiled: here or in a process that can be ended
compiled -> checked (Schemas)          schemas kept, answers judged
repair, progress                       text around JSON; an answer that can no longer become valid
"""

from gateway.schemas.checked import Checked, Schemas
from gateway.schemas.progress import Progress

__all__ = ["Checked", "Progress", "Schemas"]
