"""/admin: tenants and their limits, keys, everyone's usage, the audit, one request's row, purging the cache, reload,
canaries.

Every route needs the admin key. Each change leaves its row in the audit, made `by` admin. Times are seconds since the
epoch, limits are written as on the command line: `tokens/day=100000`.
"""

from fastapi import APIRouter, Depends

from gateway.api.admin import cache, keys, live, reports, tenants
from gateway.api.auth import admin

router = APIRouter(prefix="/admin", dependencies=[Depends(admin)])
for part in (tenants, keys, reports, cache, live):
    router.include_router(part.router)
