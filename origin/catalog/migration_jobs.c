/*
 * The tables of jobs, their tasks and what is to be swept (jobs.h, tasks.h, sweeps.h).
 */
#include "origin/catalog/catalog_internal.h"

const char origin_catalog_migration_jobs[] =
    "ALTER TABLE jobs RENAME TO old_jobs;"
    "DROP INDEX jobs_video;"

    "CREATE TABLE jobs ("
    "  id TEXT NOT NULL PRIMARY KEY,"
    "  video TEXT NOT NULL REFERENCES videos(id) ON DELETE CASCADE,"
    "  source TEXT NOT NULL,"
    "  request TEXT NOT NULL,"
    /* What publishing replaces: one compare-and-set on the video's version and stage. */
    "  base_version TEXT,"
    "  base_stage INTEGER NOT NULL,"
    "  recipe TEXT,"    /* NULL until it is prepared, as the next two */
    "  version TEXT,"   /* that the recipe makes */
    "  toolchain TEXT," /* of who prepared it */
    "  state TEXT NOT NULL CHECK (state IN ('active','done','failed')),"
    "  priority INTEGER NOT NULL,"
    "  due_ms INTEGER NOT NULL,"         /* what tasks' own are counted from */
    "  done INTEGER NOT NULL DEFAULT 0," /* shares of the tasks that are done */
    "  is_degraded INTEGER NOT NULL DEFAULT 0,"
    "  reason TEXT," /* of a dead letter */
    "  sentence TEXT,"
    "  created_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX jobs_active ON jobs(video) WHERE state = 'active';"
    "CREATE INDEX jobs_video ON jobs(video);"
    "CREATE INDEX jobs_state ON jobs(state, created_ms, id);"

    "CREATE TABLE tasks ("
    "  id TEXT NOT NULL PRIMARY KEY,"
    "  job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,"
    "  kind TEXT NOT NULL CHECK (kind IN ('prepare','chunk','sound','finish')),"
    "  pass INTEGER NOT NULL,"
    "  place INTEGER NOT NULL,"
    "  state TEXT NOT NULL"
    "    CHECK (state IN ('waiting','ready','running','parked','dead','done')),"
    "  due_ms INTEGER NOT NULL,"
    "  run_after_ms INTEGER NOT NULL,"
    "  share INTEGER NOT NULL,"              /* of the job's work, in 1000000 */
    "  progress INTEGER NOT NULL DEFAULT 0," /* in 1000 */
    "  attempts INTEGER NOT NULL DEFAULT 0,"
    "  era INTEGER NOT NULL DEFAULT 0," /* grows when an operator lets it begin anew */
    "  lease TEXT,"                     /* of a task that is done: of who finished it */
    "  lease_owner TEXT,"
    "  lease_expires_ms INTEGER,"
    "  leased_ms INTEGER,"
    "  UNIQUE (job, kind, pass, place)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX tasks_job ON tasks(job, state);"
    "CREATE INDEX tasks_ready ON tasks(due_ms, place) WHERE state = 'ready';"
    "CREATE INDEX tasks_running ON tasks(lease_expires_ms) WHERE state = 'running';"

    /* Those that ended badly. */
    "CREATE TABLE task_attempts ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  task TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,"
    "  era INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL,"
    "  worker TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  is_final INTEGER NOT NULL,"
    "  sentence TEXT NOT NULL,"
    "  log TEXT NOT NULL,"
    "  started_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX task_attempts_task ON task_attempts(task, era);"

    /* Objects that nobody needs any more. A video may be gone before them. */
    "CREATE TABLE sweeps ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind TEXT NOT NULL CHECK (kind IN ('version','work','source','video')),"
    "  video TEXT NOT NULL,"
    "  version TEXT NOT NULL," /* '' where it says nothing */
    "  after_ms INTEGER NOT NULL,"
    "  is_running INTEGER NOT NULL DEFAULT 0,"
    "  UNIQUE (kind, video, version)"
    ") STRICT;"
    "CREATE INDEX sweeps_after ON sweeps(is_running, after_ms);"

    "ALTER TABLE videos ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;" /* enum origin_stage */
    "ALTER TABLE videos ADD COLUMN is_degraded INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE videos ADD COLUMN source TEXT NOT NULL DEFAULT '';"  /* object key; '': not yet */
    "ALTER TABLE videos ADD COLUMN options TEXT NOT NULL DEFAULT '';" /* the creator's, JSON */
    "UPDATE videos SET stage = 2 WHERE status = 'ready';"

    /* Jobs of before had but one task, which begins anew. */
    "UPDATE videos SET source = coalesce((SELECT source FROM old_jobs WHERE video = videos.id), '');"
    "INSERT INTO jobs (id, video, source, request, base_version, base_stage, state, priority,"
    "  due_ms, reason, sentence, created_ms, ended_ms)"
    " SELECT j.id, j.video, j.source, '{}', j.base_version, 0,"
    "  iif(j.state IN ('queued','running'), 'active', j.state), 1, j.created_ms,"
    "  iif(j.state = 'failed', 'input', NULL), iif(j.state = 'failed', j.reason, NULL),"
    "  j.created_ms, iif(j.state IN ('done','failed'), j.created_ms, NULL) FROM old_jobs j;"
    "INSERT INTO tasks (id, job, kind, pass, place, state, due_ms, run_after_ms, share)"
    " SELECT id, id, 'prepare', 0, 0, iif(state = 'failed', 'dead', 'ready'), created_ms,"
    "  created_ms, 30000 FROM old_jobs WHERE state <> 'done';"
    "DROP TABLE old_jobs;";
