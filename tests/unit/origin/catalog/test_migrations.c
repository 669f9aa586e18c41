/*
 * A database of the first schema, with videos in the middle of everything, opens and goes on.
 */
#include "base/db/db.h"
#include "jobs_fixture.h"

/* What was released is never changed: so much of the first version as jobs stand on. */
static const char first_schema[] =
    "CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE,"
    "  password_hash TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE refresh_tokens (hash BLOB NOT NULL PRIMARY KEY, family TEXT NOT NULL,"
    "  user TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, expires_ms INTEGER NOT NULL,"
    "  is_used INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "CREATE TABLE videos (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    "  owner TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, title TEXT NOT NULL,"
    "  description TEXT NOT NULL, tags TEXT NOT NULL, filename TEXT NOT NULL,"
    "  source_bytes INTEGER NOT NULL, status TEXT NOT NULL"
    "    CHECK (status IN ('uploading','queued','processing','ready','failed')),"
    "  progress INTEGER NOT NULL DEFAULT 0, reason TEXT, version TEXT,"
    "  duration_ms INTEGER NOT NULL DEFAULT 0, width INTEGER NOT NULL DEFAULT 0,"
    "  height INTEGER NOT NULL DEFAULT 0, has_audio INTEGER NOT NULL DEFAULT 0,"
    "  created_ms INTEGER NOT NULL, published_ms INTEGER) STRICT;"
    "CREATE INDEX videos_owner ON videos(owner, seq);"
    "CREATE INDEX videos_status ON videos(status, seq);"
    "CREATE TABLE renditions (video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  version TEXT NOT NULL, place INTEGER NOT NULL, height INTEGER NOT NULL,"
    "  width INTEGER NOT NULL, bandwidth INTEGER NOT NULL, codecs TEXT NOT NULL,"
    "  PRIMARY KEY (video, version, place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE files (video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  version TEXT NOT NULL, path TEXT NOT NULL, type TEXT NOT NULL, size INTEGER NOT NULL,"
    "  sha256 BLOB NOT NULL, PRIMARY KEY (video, version, path)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE jobs (id TEXT NOT NULL PRIMARY KEY,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE, base_version TEXT,"
    "  source TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('queued','running','done','failed')),"
    "  attempts INTEGER NOT NULL DEFAULT 0, run_after_ms INTEGER NOT NULL, lease TEXT,"
    "  lease_owner TEXT, lease_expires_ms INTEGER, reason TEXT, created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX jobs_video ON jobs(video);"
    "CREATE INDEX jobs_queued ON jobs(run_after_ms) WHERE state = 'queued';"
    "CREATE INDEX jobs_running ON jobs(lease_expires_ms) WHERE state = 'running';"
    "PRAGMA user_version = 1;";

#define USER      "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define UPLOADING "bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define QUEUED    "cccccccccccccccccccccccccc"
#define RUNNING   "dddddddddddddddddddddddddd"
#define READY     "eeeeeeeeeeeeeeeeeeeeeeeeee"
#define FAILED    "ffffffffffffffffffffffffff"

#define VIDEO(id_, status_, version_, reason_)                                                 \
    "INSERT INTO videos (id, owner, title, description, tags, filename, source_bytes, status," \
    "  version, reason, created_ms)"                                                           \
    " VALUES ('" id_ "', '" USER "', 'A title', '', '[]', 'clip.mp4', 1000, '" status_         \
    "', " version_ ", " reason_ ", 1000);"
#define JOB(id_, video_, state_, reason_)                                                     \
    "INSERT INTO jobs (id, video, source, state, attempts, run_after_ms, lease, lease_owner," \
    "  lease_expires_ms, reason, created_ms)"                                                 \
    " VALUES ('" id_ "', '" video_ "', 'uploads/" video_ "/source', '" state_ "', 1, 1000,"   \
    "  iif('" state_ "' = 'running', 'zzzzzzzzzzzzzzzzzzzzzzzzzz', NULL),"                    \
    "  iif('" state_ "' = 'running', 'w', NULL), iif('" state_ "' = 'running', 2000, NULL),"  \
    "  " reason_ ", 1000);"

static const char content[] =
    "INSERT INTO users VALUES ('" USER
    "', 'b@example.org', 'hash', 1000);" VIDEO(UPLOADING, "uploading", "NULL", "NULL")
        VIDEO(QUEUED, "queued", "NULL", "NULL") VIDEO(RUNNING, "processing", "NULL", "NULL")
            VIDEO(READY, "ready", "'" JOBS_VERSION "'", "NULL")
                VIDEO(FAILED, "failed", "NULL", "'It broke.'")
                    JOB("gggggggggggggggggggggggggg", QUEUED, "queued", "NULL")
                        JOB("hhhhhhhhhhhhhhhhhhhhhhhhhh", RUNNING, "running", "NULL")
                            JOB("iiiiiiiiiiiiiiiiiiiiiiiiii", READY, "done", "NULL")
                                JOB("jjjjjjjjjjjjjjjjjjjjjjjjjj", FAILED, "failed", "'It broke.'");

/* In place of the fixture's catalog, one that was the first version's. */
static void open_first(struct fixture *f)
{
    char path[TEST_PATH_MAX + 32];
    struct fb_db *db = NULL;

    (void)snprintf(path, sizeof(path), "%s/first.db", f->folder.path);
    must(fb_db_open(path, NULL, &db, NULL));
    must(fb_db_exec(db, first_schema));
    must(fb_db_exec(db, content));
    fb_db_close(db);
    origin_catalog_close(f->catalog);
    (void)snprintf(f->url, sizeof(f->url), "sqlite:%s", path);
    must(origin_catalog_open(fb_str_from(f->url), 4, &f->clock.clock, &f->catalog, NULL));
}

static struct origin_video video_of(struct fixture *f, const char *text)
{
    struct origin_id id;

    must(origin_id_parse(fb_str_from(text), &id));
    return get_video(f, &id);
}

static void what_was_queued_or_begun_is_made_from_its_beginning(void **state)
{
    struct fixture *f = *state;
    struct origin_job_graph graph = jobs_graph(2, false);

    open_first(f);
    assert_int_equal(video_of(f, QUEUED).stage, ORIGIN_STAGE_NONE);
    jobs_work(f, &graph);
    assert_int_equal(video_of(f, QUEUED).status, ORIGIN_VIDEO_READY);
    assert_int_equal(video_of(f, RUNNING).status, ORIGIN_VIDEO_READY);
    assert_int_equal(video_of(f, RUNNING).stage, ORIGIN_STAGE_FULL);
    assert_int_equal(video_of(f, UPLOADING).status, ORIGIN_VIDEO_UPLOADING);
}

static void what_was_published_stays_so_and_can_be_made_anew(void **state)
{
    struct fixture *f = *state;
    struct origin_job_graph graph = jobs_graph(1, false);
    char source[ORIGIN_KEY_MAX + 1];
    bool is_new = false;

    open_first(f);
    struct origin_video video = video_of(f, READY);
    assert_int_equal(video.stage, ORIGIN_STAGE_FULL);
    assert_true(fb_str_equal(video.version, FB_STR(JOBS_VERSION)));
    must(origin_catalog_job_source(f->catalog, &video.id, source));
    assert_string_equal(source, "uploads/" READY "/source");
    must(jobs_add(f, &video.id, ORIGIN_PRIORITY_LATER, true, &is_new));
    assert_true(is_new);
    jobs_work(f, &graph);
    assert_int_equal(video_of(f, READY).stage, ORIGIN_STAGE_FULL);
}

static void what_had_failed_is_a_dead_letter_that_can_go_on(void **state)
{
    struct fixture *f = *state;
    struct origin_job_graph graph = jobs_graph(1, false);

    open_first(f);
    struct origin_job letter = jobs_first(f, ORIGIN_JOB_FAILED);
    assert_string_equal(letter.video.text, FAILED);
    assert_true(fb_str_equal(letter.sentence, FB_STR("It broke.")));
    must(origin_catalog_job_retry(f->catalog, &letter.id));
    jobs_work(f, &graph);
    assert_int_equal(video_of(f, FAILED).status, ORIGIN_VIDEO_READY);
}

static void what_was_brought_up_to_date_opens_again_as_it_is(void **state)
{
    struct fixture *f = *state;

    open_first(f);
    origin_catalog_close(f->catalog);
    must(origin_catalog_open(fb_str_from(f->url), 4, &f->clock.clock, &f->catalog, NULL));
    assert_int_equal(video_of(f, READY).stage, ORIGIN_STAGE_FULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_queued_or_begun_is_made_from_its_beginning),
        TEST(what_was_published_stays_so_and_can_be_made_anew),
        TEST(what_had_failed_is_a_dead_letter_that_can_go_on),
        TEST(what_was_brought_up_to_date_opens_again_as_it_is),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
