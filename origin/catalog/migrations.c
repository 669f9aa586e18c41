/*
 * The schema's versions. A text that was released is never changed; what comes
 * next is added behind it.
 *
 * Times are Unix milliseconds. Ids are the public ones, except that videos also
 * count up, so that pages of them have a stable order.
 */
#include "base/core/attr.h"
#include "origin/catalog/catalog_internal.h"

static const char first[] =
    "CREATE TABLE users ("
    "  id TEXT NOT NULL PRIMARY KEY,"
    "  email TEXT NOT NULL UNIQUE," /* in lower case */
    "  password_hash TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    /* A family is one login and all that was made from it by rotation. */
    "CREATE TABLE refresh_tokens ("
    "  hash BLOB NOT NULL PRIMARY KEY,"
    "  family TEXT NOT NULL,"
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  expires_ms INTEGER NOT NULL,"
    "  is_used INTEGER NOT NULL DEFAULT 0"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX refresh_tokens_family ON refresh_tokens(family);"
    "CREATE INDEX refresh_tokens_expires ON refresh_tokens(expires_ms);"
    "CREATE INDEX refresh_tokens_user ON refresh_tokens(user);"

    "CREATE TABLE videos ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE,"
    "  owner TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  title TEXT NOT NULL,"
    "  description TEXT NOT NULL,"
    "  tags TEXT NOT NULL," /* a JSON array of strings */
    "  filename TEXT NOT NULL,"
    "  source_bytes INTEGER NOT NULL,"
    "  status TEXT NOT NULL"
    "    CHECK (status IN ('uploading','queued','processing','ready','failed')),"
    "  progress INTEGER NOT NULL DEFAULT 0," /* in 1000 */
    "  reason TEXT,"
    "  version TEXT," /* the published one */
    "  duration_ms INTEGER NOT NULL DEFAULT 0,"
    "  width INTEGER NOT NULL DEFAULT 0,"
    "  height INTEGER NOT NULL DEFAULT 0,"
    "  has_audio INTEGER NOT NULL DEFAULT 0,"
    "  created_ms INTEGER NOT NULL,"
    "  published_ms INTEGER"
    ") STRICT;"
    "CREATE INDEX videos_owner ON videos(owner, seq);"
    "CREATE INDEX videos_status ON videos(status, seq);"

    "CREATE TABLE renditions ("
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  version TEXT NOT NULL,"
    "  place INTEGER NOT NULL,"
    "  height INTEGER NOT NULL,"
    "  width INTEGER NOT NULL,"
    "  bandwidth INTEGER NOT NULL,"
    "  codecs TEXT NOT NULL,"
    "  PRIMARY KEY (video, version, place)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE files ("
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  version TEXT NOT NULL,"
    "  path TEXT NOT NULL,"
    "  type TEXT NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  sha256 BLOB NOT NULL,"
    "  PRIMARY KEY (video, version, path)"
    ") STRICT, WITHOUT ROWID;"

    /* base_version is what publishing replaces: one compare-and-set. */
    "CREATE TABLE jobs ("
    "  id TEXT NOT NULL PRIMARY KEY,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  base_version TEXT,"
    "  source TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('queued','running','done','failed')),"
    "  attempts INTEGER NOT NULL DEFAULT 0,"
    "  run_after_ms INTEGER NOT NULL,"
    "  lease TEXT,"
    "  lease_owner TEXT,"
    "  lease_expires_ms INTEGER,"
    "  reason TEXT,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX jobs_video ON jobs(video);"
    "CREATE INDEX jobs_queued ON jobs(run_after_ms) WHERE state = 'queued';"
    "CREATE INDEX jobs_running ON jobs(lease_expires_ms) WHERE state = 'running';";

const char *const origin_catalog_migrations[] = {first};
const size_t origin_catalog_n_migrations = FB_ARRAY_LEN(origin_catalog_migrations);
