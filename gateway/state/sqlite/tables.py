"""The tables of a state file, as schema version 5 has them: by name, the statements that make each."""

TABLES = {
    "tenants": (
        """CREATE TABLE tenants (
            name TEXT PRIMARY KEY, limits TEXT NOT NULL, created REAL NOT NULL, zone TEXT NOT NULL DEFAULT 'UTC'
        ) STRICT""",
    ),
    "keys": (
        """CREATE TABLE keys (
            id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenants (name), digest BLOB NOT NULL,
            limits TEXT NOT NULL, created REAL NOT NULL, expires REAL, revoked REAL,
            label TEXT NOT NULL DEFAULT '', scopes TEXT NOT NULL DEFAULT '{}'
        ) STRICT""",
        "CREATE INDEX keys_of_tenant ON keys (tenant, created)",
    ),
    "audit": (
        """CREATE TABLE audit (
            number INTEGER PRIMARY KEY, at REAL NOT NULL, "by" TEXT NOT NULL, action TEXT NOT NULL,
            subject TEXT NOT NULL, detail TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX audit_of_subject ON audit (subject)",
    ),
    # By "end", so that what still counts is one range of the key. A meter's starts and ends rise together.
    "counters": (
        """CREATE TABLE counters (
            scope TEXT NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, "window" TEXT NOT NULL,
            "start" INTEGER NOT NULL, "end" INTEGER NOT NULL, tenant TEXT NOT NULL,
            used INTEGER NOT NULL CHECK (used >= 0), held INTEGER NOT NULL CHECK (held >= 0),
            PRIMARY KEY (scope, name, unit, "window", "end", "start")
        ) STRICT, WITHOUT ROWID""",
        'CREATE INDEX counters_by_end ON counters ("window", "end")',
        'CREATE INDEX counters_of_tenant ON counters (tenant, "end")',
    ),
    # Open ones only: a hold whose request has a row in the journal, or here in `settled`, is over.
    "holds": (
        """CREATE TABLE holds (
            request_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, owner TEXT NOT NULL, zone TEXT NOT NULL,
            bounds TEXT NOT NULL, counters TEXT NOT NULL, amounts TEXT NOT NULL, draft TEXT NOT NULL,
            spent TEXT NOT NULL DEFAULT '{}', columns TEXT NOT NULL DEFAULT '{}'
        ) STRICT""",
    ),
    "settled": ("CREATE TABLE settled (request_id TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID",),
    "answers": (
        """CREATE TABLE answers (
            key TEXT PRIMARY KEY, partition TEXT NOT NULL, body BLOB NOT NULL, created REAL NOT NULL,
            expires REAL NOT NULL, vector BLOB, question TEXT NOT NULL, saves INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        "CREATE INDEX answers_of_partition ON answers (partition)",
        "CREATE INDEX answers_by_expires ON answers (expires)",
    ),
    "tags": (
        """CREATE TABLE tags (
            tag TEXT NOT NULL, key TEXT NOT NULL REFERENCES answers (key) ON DELETE CASCADE, PRIMARY KEY (tag, key)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX tags_of_answer ON tags (key)",
    ),
    # What changes with each use stands apart from the answers, whose rows are long.
    "worth": (
        """CREATE TABLE worth (
            key TEXT PRIMARY KEY REFERENCES answers (key) ON DELETE CASCADE,
            uses INTEGER NOT NULL DEFAULT 0, priority REAL NOT NULL
        ) STRICT""",
        "CREATE INDEX worth_by_priority ON worth (priority)",
    ),
    # Answers with a vector, as they came and went; the numbers have no gaps but at the beginning.
    "changed": (
        "CREATE TABLE changed (number INTEGER PRIMARY KEY, partition TEXT NOT NULL, key TEXT NOT NULL) STRICT",
    ),
    # One row, of all answers together. The triggers keep it and `changed` right, however an answer comes or goes.
    "cache": (
        "CREATE TABLE cache (epoch TEXT NOT NULL, age REAL NOT NULL, entries INTEGER NOT NULL) STRICT",
        "INSERT INTO cache SELECT lower(hex(randomblob(8))), 0.0, count(*) FROM answers",
        """CREATE TRIGGER answer_added AFTER INSERT ON answers BEGIN
            UPDATE cache SET entries = entries + 1;
            INSERT INTO changed (partition, key) SELECT new.partition, new.key WHERE new.vector IS NOT NULL;
        END""",
        """CREATE TRIGGER answer_removed AFTER DELETE ON answers BEGIN
            UPDATE cache SET entries = entries - 1;
            INSERT INTO changed (partition, key) SELECT old.partition, old.key WHERE old.vector IS NOT NULL;
        END""",
    ),
    "purges": ("CREATE TABLE purges (mark TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID",),
    "observations": (
        """CREATE TABLE observations (
            pool TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, similarity REAL NOT NULL,
            probability REAL NOT NULL, "right" INTEGER NOT NULL, at REAL NOT NULL, source TEXT NOT NULL,
            features TEXT NOT NULL DEFAULT '[]', PRIMARY KEY (pool, number)
        ) STRICT, WITHOUT ROWID""",
    ),
    "replays": (
        """CREATE TABLE replays (
            tenant TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, request_id TEXT NOT NULL,
            owner TEXT NOT NULL, at REAL NOT NULL, status INTEGER NOT NULL, content_type TEXT NOT NULL,
            body BLOB NOT NULL, PRIMARY KEY (tenant, key)
        ) STRICT""",
        "CREATE INDEX replays_by_time ON replays (at)",
    ),
    "journal": (
        """CREATE TABLE journal (
            request_id TEXT PRIMARY KEY, at REAL NOT NULL, tenant TEXT NOT NULL, key TEXT, model TEXT, backend TEXT,
            prompt TEXT, prompt_version TEXT, prompt_digest TEXT, status ANY, error TEXT, stop TEXT, cache TEXT,
            input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, token_source TEXT, cost_nano INTEGER,
            duration_ms REAL, ttft_ms REAL, detail TEXT, tags TEXT, cause TEXT, fingerprint TEXT, checks TEXT
        ) STRICT""",
        "CREATE INDEX journal_by_time ON journal (at)",
        "CREATE INDEX journal_of_tenant ON journal (tenant, at)",
    ),
    "meta": ("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",),
}
