/*
 * What the files of the ledger share.
 *
 * ledger.c        what is under way, and puts
 * ledger_multi.c  multiparts
 * ledger_whole.c  what is whole, and what nobody ends
 */
#pragma once

#include "base/core/list.h"
#include "origin/objects/objects.h"
#include "origin/upload/ledger.h"

#include <pthread.h>

enum { LEDGER_KEY_MAX = 80 };

struct origin_ledger {
    struct origin_ledger_options options;
    pthread_mutex_t lock;
    struct fb_list flows;                   /* of struct flow, under the lock */
    struct fb_list joins;                   /* of struct ledger_join, under the lock */
    char swept[ORIGIN_OBJECTS_KEY_MAX + 1]; /* up to here; the sweep's own */
};

/* An upload that is being completed. */
struct ledger_join {
    struct fb_list link;
    struct origin_id upload;
};

/* The object of an upload. */
struct fb_str origin_ledger_key(char key[LEDGER_KEY_MAX], const struct origin_id *video,
                                const struct origin_id *upload);

/* The video of `place`, which waits for its upload: NO_KEY, CLOSED. */
FB_MUST_CHECK int origin_ledger_video(struct origin_ledger *ledger, struct fb_arena *arena,
                                      const struct origin_ledger_place *place,
                                      struct origin_upload_video *ret_video,
                                      struct origin_fault *fault);

/* The type that was declared, if there was one: ARGUMENT. */
FB_MUST_CHECK int origin_ledger_check_type(const struct origin_ledger_ask *ask,
                                           const struct origin_upload_video *video,
                                           struct origin_fault *fault);

/* What a change of state that failed means to a client. */
FB_MUST_CHECK int origin_ledger_refused(struct origin_fault *fault, int err);

/* Takes away all of an upload that is old, and its row. A failure is the sweep's to mend. */
void origin_ledger_clean(struct origin_ledger *ledger, const struct origin_upload_row *row);
