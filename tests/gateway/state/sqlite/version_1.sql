-- What `sqlite3 state.db .dump` prints of a file that the last program with schema version 1 wrote:
-- two tenants, two keys, a settled hold, three open ones (the process was killed), a journal row, a cached answer.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE answers (
        key TEXT PRIMARY KEY, partition TEXT NOT NULL, body BLOB NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
        vector BLOB, question TEXT NOT NULL
    ) STRICT;
INSERT INTO "answers" VALUES('a','p',X'7B7D',1767268800.0,2767268800.0,X'0001','What?');
CREATE TABLE counters (
        scope TEXT NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, "window" TEXT NOT NULL,
        "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
        used INTEGER NOT NULL CHECK (used >= 0), held INTEGER NOT NULL CHECK (held >= 0),
        PRIMARY KEY (scope, name, unit, "window", "start", "end")
    ) STRICT, WITHOUT ROWID;
INSERT INTO "counters" VALUES('key','k1','tokens','day',1767225600,1767312000,300,700);
INSERT INTO "counters" VALUES('key','k2','tokens','day',1767225600,1767312000,0,700);
INSERT INTO "counters" VALUES('tenant','acme','requests','minute',1767268800,1767268860,1,1);
INSERT INTO "counters" VALUES('tenant','acme','tokens','day',1767225600,1767312000,300,700);
INSERT INTO "counters" VALUES('tenant','acme','usd','month',1767225600,1769904000,400000,1000000);
CREATE TABLE holds (
        request_id TEXT PRIMARY KEY, owner TEXT NOT NULL, bounds TEXT NOT NULL, amounts TEXT NOT NULL,
        spent TEXT NOT NULL DEFAULT '{}', settled REAL
    ) STRICT;
INSERT INTO "holds" VALUES('settled','host/boot/1/2','[["tokens/day=100000", "tenant", "acme", "tokens", "day", 1767225600, 1767312000], ["usd/month=12.5", "tenant", "acme", "usd", "month", 1767225600, 1769904000], ["requests/minute=60", "tenant", "acme", "requests", "minute", 1767268800, 1767268860], ["tokens/request=4000", "tenant", "acme", "tokens", "request", 0, 0], ["tokens/day=5000", "key", "k1", "tokens", "day", 1767225600, 1767312000]]','{"requests": 1, "tokens": 700, "usd": 1000000}','{}',1.79532524292812824253e+09);
INSERT INTO "holds" VALUES('open','host/boot/1/2','[["tokens/day=100000", "tenant", "acme", "tokens", "day", 1767225600, 1767312000], ["usd/month=12.5", "tenant", "acme", "usd", "month", 1767225600, 1769904000], ["requests/minute=60", "tenant", "acme", "requests", "minute", 1767268800, 1767268860], ["tokens/request=4000", "tenant", "acme", "tokens", "request", 0, 0], ["tokens/day=5000", "key", "k1", "tokens", "day", 1767225600, 1767312000]]','{"requests": 1, "tokens": 700, "usd": 1000000}','{"requests":1,"tokens":120,"usd":5}',NULL);
INSERT INTO "holds" VALUES('by key alone','host/boot/1/2','[["tokens/day=5000", "key", "k2", "tokens", "day", 1767225600, 1767312000]]','{"requests": 1, "tokens": 700, "usd": 1000000}','{}',NULL);
INSERT INTO "holds" VALUES('unlimited','host/boot/1/2','[]','{"requests": 1, "tokens": 700, "usd": 1000000}','{}',NULL);
CREATE TABLE journal (
        request_id TEXT PRIMARY KEY, at REAL NOT NULL, tenant TEXT NOT NULL, key TEXT, model TEXT, backend TEXT,
        prompt TEXT, prompt_version TEXT, prompt_digest TEXT, status ANY, error TEXT, stop TEXT, cache TEXT,
        input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, token_source TEXT, cost_nano INTEGER,
        duration_ms REAL, ttft_ms REAL, detail TEXT
    ) STRICT;
INSERT INTO "journal" VALUES('settled',1767268800.0,'acme','k1','small',NULL,NULL,NULL,NULL,200,NULL,NULL,NULL,200,100,NULL,NULL,400000,NULL,NULL,'{}');
CREATE TABLE keys (
        id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenants (name), digest BLOB NOT NULL, limits TEXT NOT NULL,
        created REAL NOT NULL, expires REAL, revoked REAL
    ) STRICT;
INSERT INTO "keys" VALUES('k1','acme',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','["tokens/day=5000"]',11.25,99.5,NULL);
INSERT INTO "keys" VALUES('k2','free',X'0000000000000000000000000000000000000000000000000000000000000000','["tokens/day=5000"]',12.0,NULL,13.0);
CREATE TABLE tags (
        tag TEXT NOT NULL, key TEXT NOT NULL REFERENCES answers (key) ON DELETE CASCADE, PRIMARY KEY (tag, key)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "tags" VALUES('acme','a');
CREATE TABLE tenants (name TEXT PRIMARY KEY, limits TEXT NOT NULL, created REAL NOT NULL) STRICT;
INSERT INTO "tenants" VALUES('acme','["tokens/day=100000", "usd/month=12.5", "requests/minute=60", "tokens/request=4000"]',10.5);
INSERT INTO "tenants" VALUES('free','[]',11.0);
CREATE INDEX keys_of_tenant ON keys (tenant, created);
CREATE INDEX counters_by_end ON counters ("end");
CREATE INDEX holds_by_settled ON holds (settled);
CREATE INDEX answers_of_partition ON answers (partition, created);
CREATE INDEX answers_by_expires ON answers (expires);
CREATE INDEX tags_of_answer ON tags (key);
CREATE INDEX journal_by_time ON journal (at);
CREATE INDEX journal_of_tenant ON journal (tenant, at);
COMMIT;
