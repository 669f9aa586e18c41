/*
 * The schema's version in which videos are not all for everybody, and not all are in the clear.
 */
#include "origin/catalog/catalog_internal.h"

/* Who may see a video, and where ("allow:DE,FR", "deny:..."); what is sealed; and what has to go:
 * objects of videos that are deleted (removals), and copies on nodes, each of which has been told
 * of purges up to one. */
const char origin_catalog_migration_access[] =
    "ALTER TABLE videos ADD COLUMN privacy TEXT NOT NULL DEFAULT 'public'"
    "  CHECK (privacy IN ('public','unlisted','private'));"
    "ALTER TABLE videos ADD COLUMN countries TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE content_keys ("
    "  id BLOB NOT NULL PRIMARY KEY,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  job TEXT NOT NULL UNIQUE,"
    "  scheme TEXT NOT NULL,"
    "  master TEXT NOT NULL," /* the id of what it is sealed by */
    "  sealed BLOB NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX content_keys_video ON content_keys(video);"
    "CREATE INDEX content_keys_master ON content_keys(master);"
    "CREATE TABLE removals ("
    "  video TEXT NOT NULL PRIMARY KEY,"
    "  n_done INTEGER NOT NULL DEFAULT 0,"
    "  n_failed INTEGER NOT NULL DEFAULT 0,"
    "  run_after_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX removals_due ON removals(run_after_ms);"
    "CREATE TABLE purges ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  tag TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE purge_nodes ("
    "  url TEXT NOT NULL PRIMARY KEY,"
    "  is_upper INTEGER NOT NULL,"
    "  done INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;";
