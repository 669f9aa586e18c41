/*
 * Tasks: what a worker is told, and what it tells in return.
 *
 * A video is processed by a job of tasks, each of which one worker does alone, under a lease:
 *
 *     PREPARE ──► recipe ──┬──► CHUNK 0 … n-1 (pass) ──┬──► FINISH (pass) ──► published
 *                          └──► SOUND ─────────────────┘
 *
 * Whoever holds a task's lease may renew, finish, fail or return it, and nobody else. A worker
 * takes tasks from a source, which is the catalog of the same process or an origin over HTTP; it
 * cannot tell which.
 *
 *     take ──► renew … renew ──► finish | fail | give_back
 *                 └── FB_E_CONFLICT: the lease is lost; drop the work
 *
 * The recipe and the place in the graph decide every byte of what a task makes, and under which
 * keys: to do a task twice, also at once on two machines, writes the same objects with the same
 * bytes. So a worker may store them as they come; nobody is told of them before the finish, and
 * a task counts as done by its first finish alone. The part (origin_task_part_key) is stored last.
 *
 * What finish() is given, as one JSON object:
 *
 *     PREPARE        {"recipe": {…}}    as origin/model/recipe.h loads it
 *     CHUNK, SOUND   {"files": […]}     of the version that were stored, as origin/model/result.h
 *                                       loads them; the rest is told by the stored part
 *     FINISH         a result           as origin/model/result.h loads it
 *
 * Ownership  A task owns its texts and its key: zero → ..._done().
 * Threads    The functions of a source block; any thread.
 * Limits     The constants below, and those of origin/model/result.h.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/content_key.h"
#include "origin/model/id.h"
#include "origin/model/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_CHUNKS_MAX = 20000,         /* of one source: two weeks of minutes */
    ORIGIN_RECIPE_MAX = 4 << 20,       /* bytes */
    ORIGIN_REQUEST_MAX = 16 * 1024,    /* bytes */
    ORIGIN_TOOLCHAIN_MAX = 255,        /* bytes */
    ORIGIN_WORKER_NAME_MAX = 64,       /* bytes */
    ORIGIN_LOG_TAIL_MAX = 4 * 1024,    /* bytes of a child's last words */
    ORIGIN_TASK_RESULT_MAX = 64 << 20, /* bytes: ORIGIN_FILES_MAX lines of some 300 */
    ORIGIN_TASK_MAX = 5 << 20          /* bytes of a task as JSON */
};

struct fb_json;

enum origin_task_kind {
    ORIGIN_TASK_PREPARE, /* looks at the source and decides the recipe */
    ORIGIN_TASK_CHUNK,   /* one source chunk's pictures in all renditions of the pass */
    ORIGIN_TASK_SOUND,   /* all audio and text tracks, whole */
    ORIGIN_TASK_FINISH,  /* playlists and manifests out of the parts */
    ORIGIN_TASK_N_KINDS
};

/* Which renditions: a job has either one pass for all, or an early and a late one. The sound
 * belongs to the pass that is finished first. */
enum origin_task_pass {
    ORIGIN_PASS_ALL,   /* everything; master.m3u8 and manifest.mpd */
    ORIGIN_PASS_EARLY, /* the smallest rendition; early.m3u8 and early.mpd */
    ORIGIN_PASS_LATE,  /* the others; its FINISH lists everything */
    ORIGIN_TASK_N_PASSES
};

/* What a worker holds the task's process to. 0: no limit. */
struct origin_task_limits {
    uint32_t seconds;
    uint64_t memory; /* bytes */
    uint64_t bytes;  /* of output */
};

struct origin_task {
    struct origin_id job;
    struct origin_id task;
    struct origin_id lease; /* proves the right to the task */
    struct origin_id video;
    enum origin_task_kind kind;
    enum origin_task_pass pass;           /* of a PREPARE ORIGIN_PASS_ALL */
    uint32_t index;                       /* of a CHUNK; else 0 */
    char source[ORIGIN_KEY_MAX + 1];      /* object key of what was uploaded */
    char version[ORIGIN_VERSION_LEN + 1]; /* of the recipe; empty for PREPARE */
    char *request;                 /* owned; JSON (origin/model/request.h): what was asked for */
    char *recipe;                  /* owned; JSON (origin/model/recipe.h); empty for PREPARE */
    struct origin_content_key key; /* wiped; ORIGIN_SCHEME_CLEAR: none */
    struct origin_task_limits limits;
    uint32_t lease_ms; /* renew well before so long has passed */
    uint32_t attempt;  /* 1 for the first */
};

void origin_task_done(struct origin_task *task);

/* "prepare", "chunk", "sound", "finish". */
const char *origin_task_kind_text(enum origin_task_kind kind);
FB_MUST_CHECK int origin_task_kind_parse(struct fb_str text, enum origin_task_kind *ret_kind);

/* The key of the part of a CHUNK or SOUND of a version, and of what is left of a FINISH:
 * "work/<video>/<version>/chunk-0-00012.json", "…/sound-1.json" (the number is the pass). */
void origin_task_part_key(const struct origin_task *task, char ret_key[ORIGIN_KEY_MAX + 1]);

/* ---- why an attempt ended badly ---------------------------------------------- */

/* Each has its own number of attempts (`jobs.attempts`, docs/ingest.md). */
enum origin_task_reason {
    ORIGIN_REASON_INPUT,      /* the source is at fault: no attempt can change that */
    ORIGIN_REASON_CODEC,      /* a codec or filter gave up */
    ORIGIN_REASON_CRASHED,    /* the process ended by a signal */
    ORIGIN_REASON_MEMORY,     /* it wanted more memory than the task may have */
    ORIGIN_REASON_TIME,       /* it took longer than the task may take */
    ORIGIN_REASON_OUTPUT,     /* it wrote more than the task may write */
    ORIGIN_REASON_STORE,      /* objects could not be read or written */
    ORIGIN_REASON_INTERNAL,   /* anything else on our side */
    ORIGIN_REASON_LEASE_LOST, /* the worker fell silent: told by the origin, never by a worker */
    ORIGIN_REASON_MISSING,    /* what a finish named was not there so: told by the origin */
    ORIGIN_N_REASONS
};

/* "input", "codec", "crashed", "memory", "time", "output", "store", "internal", "lost", "missing".
 */
const char *origin_task_reason_text(enum origin_task_reason reason);
FB_MUST_CHECK int origin_task_reason_parse(struct fb_str text, enum origin_task_reason *ret_reason);

struct origin_task_failure {
    enum origin_task_reason reason;
    bool is_final;          /* trying again cannot help; implied by ORIGIN_REASON_INPUT */
    struct fb_str sentence; /* for the creator; at most ORIGIN_REASON_MAX bytes count */
    struct fb_str log;      /* for the operator; the last ORIGIN_LOG_TAIL_MAX bytes count */
};

/* ---- where tasks come from ---------------------------------------------------- */

struct origin_task_ask {
    struct fb_str worker;    /* in whose name; at most ORIGIN_WORKER_NAME_MAX bytes */
    struct fb_str toolchain; /* versions of what decides the bytes: only jobs that were prepared
                                with the same, or not yet, are given */
};

/* Every pointer is required. */
struct origin_task_source {
    void *ctx;

    /* FB_E_LATER when there is nothing to do. */
    int (*take)(void *ctx, const struct origin_task_ask *ask, struct origin_task *ret_task);

    /* Holds the lease for another `lease_ms` and reports the task's own progress. */
    int (*renew)(void *ctx, const struct origin_task *task, uint32_t permille);

    /* The task is done; `result` is JSON, see above. FB_OK also for what this lease has finished
     * before (the answer was lost); FB_E_CONFLICT when the lease was lost; FB_E_CORRUPT when
     * objects that the result names are not there, or hash to something else: then fail with
     * ORIGIN_REASON_MISSING. */
    int (*finish)(void *ctx, const struct origin_task *task, struct fb_str result);

    /* Ends this attempt. */
    int (*fail)(void *ctx, const struct origin_task *task,
                const struct origin_task_failure *failure);

    /* Returns the task as if this attempt had never been: the worker stops, or has no room. */
    int (*give_back)(void *ctx, const struct origin_task *task);
};

/* ---- between an origin and its workers ------------------------------------------ */

/* As JSON objects: what is stored sets the members of `object`, what is loaded checks every one
 * (of request and recipe that they are objects). A failure is stored as "reason", "is_final",
 * "sentence", "log"; what is loaded are views into `object`. */
void origin_task_store(struct fb_json *object, const struct origin_task *task);
FB_MUST_CHECK int origin_task_load(const struct fb_json *object, struct origin_task *ret_task,
                                   struct fb_diag *diag);
void origin_task_failure_store(struct fb_json *object, const struct origin_task_failure *failure);
FB_MUST_CHECK int origin_task_failure_load(const struct fb_json *object,
                                           struct origin_task_failure *ret_failure,
                                           struct fb_diag *diag);
