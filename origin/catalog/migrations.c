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

/* What people do with videos. Each table has the moment and a keyed hash of the network that the
 * act came from, so that what is counted for trending can be weighed (origin/catalog/events.h). */
static const char engagement[] =
    "ALTER TABLE users ADD COLUMN name TEXT NOT NULL DEFAULT '';" /* shown to others */
    "ALTER TABLE videos ADD COLUMN category TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE videos ADD COLUMN deactivated_ms INTEGER;" /* by an admin; NULL: active */
    "ALTER TABLE videos ADD COLUMN deactivated_reason TEXT;"

    /* Lifetime sums. A video without a row has none of anything yet. */
    "CREATE TABLE video_counters ("
    "  video TEXT NOT NULL PRIMARY KEY REFERENCES videos(id) ON DELETE CASCADE,"
    "  views INTEGER NOT NULL DEFAULT 0,"
    "  watch_ms INTEGER NOT NULL DEFAULT 0,"
    "  likes INTEGER NOT NULL DEFAULT 0,"
    "  comments INTEGER NOT NULL DEFAULT 0,"
    "  shares INTEGER NOT NULL DEFAULT 0,"
    "  saves INTEGER NOT NULL DEFAULT 0"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE user_counters ("
    "  user TEXT NOT NULL PRIMARY KEY REFERENCES users(id) ON DELETE CASCADE,"
    "  followers INTEGER NOT NULL DEFAULT 0,"
    "  following INTEGER NOT NULL DEFAULT 0"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE likes ("
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  at_ms INTEGER NOT NULL,"
    "  network INTEGER NOT NULL,"
    "  PRIMARY KEY (user, video)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX likes_video ON likes(video);"
    "CREATE INDEX likes_user ON likes(user, at_ms);"
    "CREATE INDEX likes_at ON likes(at_ms);"
    "CREATE TABLE saves ("
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  at_ms INTEGER NOT NULL,"
    "  network INTEGER NOT NULL,"
    "  PRIMARY KEY (user, video)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX saves_video ON saves(video);"
    "CREATE INDEX saves_user ON saves(user, at_ms);"
    "CREATE INDEX saves_at ON saves(at_ms);"
    "CREATE TABLE follows ("
    "  follower TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE," /* who is followed */
    "  at_ms INTEGER NOT NULL,"
    "  network INTEGER NOT NULL,"
    "  PRIMARY KEY (follower, user)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX follows_user ON follows(user, at_ms);"
    "CREATE INDEX follows_follower ON follows(follower, at_ms);"
    "CREATE TABLE shares ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  channel TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL,"
    "  network INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX shares_video ON shares(video);"
    "CREATE INDEX shares_user ON shares(user);"
    "CREATE INDEX shares_at ON shares(at_ms);"

    /* A comment that was removed while it had replies stays as a row without text. */
    "CREATE TABLE comments ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  parent TEXT REFERENCES comments(id) ON DELETE CASCADE," /* NULL: of the video itself */
    "  text TEXT,"                                             /* NULL: removed */
    "  replies INTEGER NOT NULL DEFAULT 0,"
    "  at_ms INTEGER NOT NULL,"
    "  network INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX comments_video ON comments(video, seq) WHERE parent IS NULL;"
    "CREATE INDEX comments_of_video ON comments(video);"
    "CREATE INDEX comments_parent ON comments(parent, seq);"
    "CREATE INDEX comments_user ON comments(user);"
    "CREATE INDEX comments_at ON comments(at_ms);"

    /* What was answered to a request that may come again (Idempotency-Key). */
    "CREATE TABLE idempotency_keys ("
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
    "  key TEXT NOT NULL,"
    "  fingerprint BLOB NOT NULL," /* SHA-256 of what was asked */
    "  answer TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (user, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX idempotency_keys_created ON idempotency_keys(created_ms);"

    /* Who did what to which video, and why: it outlives them all. */
    "CREATE TABLE moderation ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  video TEXT NOT NULL,"
    "  admin TEXT NOT NULL,"
    "  action TEXT NOT NULL CHECK (action IN ('deactivate','activate')),"
    "  reason TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX moderation_video ON moderation(video, seq);";

/* What the nodes' reports are merged into. A video is its number here, which is shorter than its
 * id in tables of many rows; `hour` and `day` are counted from 1970, `slot` in five minutes. */
#define VIEW_SUMS                  \
    "  views INTEGER NOT NULL,"    \
    "  capped INTEGER NOT NULL,"   \
    "  sessions INTEGER NOT NULL," \
    "  watch_ms INTEGER NOT NULL," \
    "  ends INTEGER NOT NULL,"     \
    "  stalls INTEGER NOT NULL,"   \
    "  stall_ms INTEGER NOT NULL," \
    "  bytes INTEGER NOT NULL,"    \
    "  bytes_missed INTEGER NOT NULL,"

static const char views[] =
    /* How far each stream of each node has been applied; epoch is a u64 in the bits of an i64. */
    "CREATE TABLE report_nodes ("
    "  node TEXT NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  sequence INTEGER NOT NULL," /* of the last report that was applied */
    "  digest BLOB,"               /* of its bytes; NULL: it came merged into another node's */
    "  region TEXT NOT NULL,"
    "  via TEXT NOT NULL," /* the node that brought it */
    "  first_ms INTEGER NOT NULL,"
    "  last_ms INTEGER NOT NULL,"
    "  reports INTEGER NOT NULL DEFAULT 0,"
    "  bytes_served INTEGER NOT NULL DEFAULT 0,"
    "  bytes_missed INTEGER NOT NULL DEFAULT 0,"
    "  plan_filled INTEGER NOT NULL DEFAULT 0,"
    "  plan_served INTEGER NOT NULL DEFAULT 0,"
    "  prefetch_filled INTEGER NOT NULL DEFAULT 0,"
    "  prefetch_served INTEGER NOT NULL DEFAULT 0,"
    "  dropped_events INTEGER NOT NULL DEFAULT 0,"
    "  folded_entries INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (node, epoch)"
    ") STRICT, WITHOUT ROWID;"

    /* Who takes the reports: one row, drawn when it is first asked for. */
    "CREATE TABLE report_receiver ("
    "  one INTEGER PRIMARY KEY CHECK (one = 1),"
    "  id TEXT NOT NULL"
    ") STRICT;"

    /* What was not as it should be; one row however often it is repeated. */
    "CREATE TABLE report_audit ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  node TEXT NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  sequence INTEGER NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  expected INTEGER NOT NULL,"
    "  n INTEGER NOT NULL DEFAULT 1,"
    "  first_ms INTEGER NOT NULL,"
    "  last_ms INTEGER NOT NULL,"
    "  UNIQUE (node, epoch, sequence, reason)"
    ") STRICT;"

    "CREATE TABLE regions ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE"
    ") STRICT;"

    "CREATE TABLE view_hours ("
    "  video INTEGER NOT NULL REFERENCES videos(seq) ON DELETE CASCADE,"
    "  hour INTEGER NOT NULL,"
    "  region INTEGER NOT NULL REFERENCES regions(id)," VIEW_SUMS
    "  PRIMARY KEY (video, hour, region)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX view_hours_hour ON view_hours(hour);"

    /* The last hours once more, in finer pieces, for what must be seen within minutes. */
    "CREATE TABLE view_slots ("
    "  slot INTEGER NOT NULL,"
    "  video INTEGER NOT NULL REFERENCES videos(seq) ON DELETE CASCADE,"
    "  region INTEGER NOT NULL REFERENCES regions(id)," VIEW_SUMS
    "  PRIMARY KEY (slot, video, region)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX view_slots_video ON view_slots(video);"

    "CREATE TABLE view_renditions ("
    "  video INTEGER NOT NULL REFERENCES videos(seq) ON DELETE CASCADE,"
    "  day INTEGER NOT NULL,"
    "  region INTEGER NOT NULL REFERENCES regions(id),"
    "  rendition TEXT NOT NULL," VIEW_SUMS "  PRIMARY KEY (video, day, region, rendition)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX view_renditions_day ON view_renditions(day, region);"

    /* Sketches of who watched and from which networks, and the counts of enum fb_view_source, of
     * enum fb_view_reason and of the time to start, in their order. */
    "CREATE TABLE view_days ("
    "  video INTEGER NOT NULL REFERENCES videos(seq) ON DELETE CASCADE,"
    "  day INTEGER NOT NULL,"
    "  region INTEGER NOT NULL REFERENCES regions(id),"
    "  viewers BLOB NOT NULL,"
    "  networks BLOB NOT NULL,"
    "  source_feed INTEGER NOT NULL,"
    "  source_search INTEGER NOT NULL,"
    "  source_trending INTEGER NOT NULL,"
    "  source_share INTEGER NOT NULL,"
    "  source_external INTEGER NOT NULL,"
    "  source_other INTEGER NOT NULL,"
    "  uncounted_too_short INTEGER NOT NULL,"
    "  uncounted_duplicate INTEGER NOT NULL,"
    "  uncounted_bot INTEGER NOT NULL,"
    "  uncounted_rate INTEGER NOT NULL,"
    "  uncounted_no_media INTEGER NOT NULL,"
    "  startup_0 INTEGER NOT NULL,"
    "  startup_1 INTEGER NOT NULL,"
    "  startup_2 INTEGER NOT NULL,"
    "  startup_3 INTEGER NOT NULL,"
    "  startup_4 INTEGER NOT NULL,"
    "  startup_5 INTEGER NOT NULL,"
    "  startup_6 INTEGER NOT NULL,"
    "  startup_7 INTEGER NOT NULL,"
    "  PRIMARY KEY (video, day, region)"
    ") STRICT;"

    /* What nodes told of videos that are not here (any more); '' is all the rest of a day. */
    "CREATE TABLE view_unknown ("
    "  day INTEGER NOT NULL,"
    "  name TEXT NOT NULL," VIEW_SUMS "  PRIMARY KEY (day, name)"
    ") STRICT, WITHOUT ROWID;";

/* What users who are logged in watched; `event` is the client's own id of it. */
static const char watch[] = "CREATE TABLE watch_events ("
                            "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
                            "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,"
                            "  event TEXT NOT NULL,"
                            "  video INTEGER NOT NULL REFERENCES videos(seq) ON DELETE CASCADE,"
                            "  at_ms INTEGER NOT NULL,"
                            "  watch_ms INTEGER NOT NULL,"
                            "  position_ms INTEGER NOT NULL,"
                            "  completed INTEGER NOT NULL,"
                            "  source TEXT NOT NULL,"
                            "  UNIQUE (user, event)"
                            ") STRICT;"
                            "CREATE INDEX watch_events_user ON watch_events(user, seq);"
                            "CREATE INDEX watch_events_video ON watch_events(video, seq);"
                            "CREATE INDEX watch_events_at ON watch_events(at_ms);";

/* What is searched. A row of video_search stands for each video that may be seen, under its seq;
 * origin/catalog/search.c keeps all of it in step, in the transactions of what it follows. */
#define TOKENS "tokenize = \"unicode61 remove_diacritics 2\""
static const char search[] =
    "CREATE VIRTUAL TABLE video_search USING fts5("
    "  title, description, tags, owner, prefix = '2 3', " TOKENS ");"
    "INSERT INTO video_search (video_search, rank) VALUES ('rank', 'bm25(10.0, 1.0, 5.0, 4.0)');"
    "CREATE VIRTUAL TABLE video_search_terms USING fts5vocab(video_search, row);"
    "CREATE TABLE video_tags ("
    "  tag TEXT NOT NULL," /* in lower case as far as ASCII goes */
    "  video INTEGER NOT NULL REFERENCES videos(seq) ON DELETE CASCADE,"
    "  PRIMARY KEY (tag, video)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX video_tags_video ON video_tags(video);"

    /* Names that are suggested: tags and users. */
    "CREATE TABLE search_names ("
    "  id INTEGER PRIMARY KEY,"
    "  kind TEXT NOT NULL CHECK (kind IN ('tag','user')),"
    "  ref TEXT NOT NULL," /* the tag, or the user's id */
    "  UNIQUE (kind, ref)"
    ") STRICT;"
    "CREATE VIRTUAL TABLE search_name_index USING fts5(name, prefix = '1 2 3', " TOKENS ");"

    /* Words of titles, tags and names, by their trigrams, for those that are mistyped. A word is
     * cut out of a text by the same tokenizer, in a table that is empty between two texts. */
    "CREATE TABLE search_words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE VIRTUAL TABLE search_trigrams USING fts5(word, content = '', tokenize = 'trigram');"
    "CREATE VIRTUAL TABLE search_cutter USING fts5(text, content = '', " TOKENS ");"
    "CREATE VIRTUAL TABLE search_cut USING fts5vocab(search_cutter, row);"

    /* What is there already. */
    "INSERT INTO video_search (rowid, title, description, tags, owner)"
    " SELECT v.seq, v.title, v.description,"
    "  (SELECT coalesce(group_concat(value, ' '), '') FROM json_each(v.tags)), u.name"
    " FROM videos v JOIN users u ON u.id = v.owner"
    " WHERE v.status = 'ready' AND v.deactivated_ms IS NULL;"
    "INSERT OR IGNORE INTO video_tags (tag, video) SELECT lower(t.value), v.seq"
    " FROM videos v, json_each(v.tags) t WHERE v.status = 'ready' AND v.deactivated_ms IS NULL;"
    "INSERT INTO search_names (kind, ref) SELECT DISTINCT 'tag', tag FROM video_tags;"
    "INSERT INTO search_name_index (rowid, name) SELECT id, ref FROM search_names;"
    "INSERT INTO search_cutter (rowid, text)"
    " SELECT rowid, title || ' ' || tags || ' ' || owner FROM video_search;"
    "INSERT INTO search_words (word) SELECT term FROM search_cut"
    " WHERE length(term) BETWEEN 4 AND 40;"
    "INSERT INTO search_trigrams (rowid, word) SELECT id, '^' || word || '$' FROM search_words;"
    "INSERT INTO search_cutter (search_cutter) VALUES ('delete-all');";

/* What the feed has learned; and which sound a video bears, of which a page has few. */
static const char feed[] = "CREATE TABLE feed_models ("
                           "  name TEXT NOT NULL PRIMARY KEY,"
                           "  bytes BLOB NOT NULL,"
                           "  at_ms INTEGER NOT NULL"
                           ") STRICT, WITHOUT ROWID;"
                           "ALTER TABLE videos ADD COLUMN sound TEXT NOT NULL DEFAULT '';";

/* What regions should hold, and what somebody wants to be there at once ('' is everywhere). */
static const char plan[] = "CREATE TABLE plans ("
                           "  region TEXT NOT NULL,"
                           "  serial INTEGER NOT NULL,"
                           "  made_ms INTEGER NOT NULL,"
                           "  until_ms INTEGER NOT NULL,"
                           "  entries INTEGER NOT NULL,"
                           "  body_bytes INTEGER NOT NULL,"
                           "  digest BLOB NOT NULL,"
                           "  bytes INTEGER NOT NULL," /* of what it names */
                           "  token TEXT NOT NULL,"
                           "  PRIMARY KEY (region, serial)"
                           ") STRICT;"
                           "CREATE INDEX plans_digest ON plans(digest);"
                           "CREATE TABLE plan_bodies ("
                           "  digest BLOB NOT NULL PRIMARY KEY,"
                           "  body BLOB NOT NULL"
                           ") STRICT;"
                           "CREATE TABLE plan_requests ("
                           "  video INTEGER NOT NULL REFERENCES videos(seq) ON DELETE CASCADE,"
                           "  region TEXT NOT NULL,"
                           "  until_ms INTEGER NOT NULL,"
                           "  PRIMARY KEY (video, region)"
                           ") STRICT, WITHOUT ROWID;";

/* Text that was uploaded beside a video. */
static const char subtitles[] = "CREATE TABLE subtitles ("
                                "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
                                "  id TEXT NOT NULL UNIQUE,"
                                "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
                                "  language TEXT NOT NULL,"
                                "  name TEXT NOT NULL,"
                                "  object TEXT NOT NULL,"
                                "  cues INTEGER NOT NULL,"
                                "  at_ms INTEGER NOT NULL,"
                                "  UNIQUE (video, language, name)"
                                ") STRICT;";

/* What happened to videos, for those who asked to be told. */
#define EVENT_AT "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
static const char hooks[] =
    "CREATE TABLE hook_events ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind TEXT NOT NULL,"
    "  video TEXT NOT NULL,"
    "  owner TEXT NOT NULL,"
    "  version TEXT,"
    "  reason TEXT,"
    "  at_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE hooks ("
    "  url TEXT NOT NULL PRIMARY KEY,"
    "  told INTEGER NOT NULL," /* the last event's seq */
    "  failures INTEGER NOT NULL DEFAULT 0,"
    "  run_after_ms INTEGER NOT NULL DEFAULT 0,"
    "  is_set INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER hook_ended AFTER UPDATE OF status, version ON videos"
    " WHEN new.status IN ('ready', 'failed')"
    " AND (new.status <> old.status OR new.version IS NOT old.version)"
    " BEGIN INSERT INTO hook_events (kind, video, owner, version, reason, at_ms) VALUES"
    " ('video.' || new.status, new.id, new.owner, new.version, new.reason, " EVENT_AT "); END;"
    "CREATE TRIGGER hook_activity AFTER UPDATE OF deactivated_ms ON videos"
    " WHEN (new.deactivated_ms IS NULL) <> (old.deactivated_ms IS NULL)"
    " BEGIN INSERT INTO hook_events (kind, video, owner, version, reason, at_ms) VALUES"
    " (iif(new.deactivated_ms IS NULL, 'video.activated', 'video.deactivated'), new.id, new.owner,"
    " new.version, new.deactivated_reason, " EVENT_AT "); END;"
    "CREATE TRIGGER hook_deleted AFTER DELETE ON videos"
    " BEGIN INSERT INTO hook_events (kind, video, owner, version, at_ms) VALUES"
    " ('video.deleted', old.id, old.owner, old.version, " EVENT_AT "); END;";

/* That all of a video is there is told of too, if a part of it was shown before. */
static const char hooks_full[] =
    "DROP TRIGGER hook_ended;"
    "CREATE TRIGGER hook_ended AFTER UPDATE OF status, version, stage ON videos"
    " WHEN new.status IN ('ready', 'failed')"
    " BEGIN INSERT INTO hook_events (kind, video, owner, version, reason, at_ms)"
    "  SELECT 'video.' || new.status, new.id, new.owner, new.version, new.reason, " EVENT_AT
    "  WHERE new.status <> old.status OR new.version IS NOT old.version;"
    " INSERT INTO hook_events (kind, video, owner, version, at_ms)"
    "  SELECT 'video.full', new.id, new.owner, new.version, " EVENT_AT
    "  WHERE old.stage = 1 AND new.stage = 2; END;";

const char *const origin_catalog_migrations[] = {
    first,
    engagement,
    views,
    watch,
    search,
    feed,
    plan,
    origin_catalog_migration_uploads,
    origin_catalog_migration_jobs,
    origin_catalog_migration_access,
    subtitles,
    hooks,
    origin_catalog_migration_stored,
    hooks_full,
};
const size_t origin_catalog_n_migrations = FB_ARRAY_LEN(origin_catalog_migrations);
