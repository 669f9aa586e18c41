/*
 * From how an attempt ended to what is told of it.
 */
#include "base/core/err.h"
#include "origin/worker/worker_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char passing[] =
    "Something on our side went wrong while processing this video. Please try again later.";

static const char *const sentences[ORIGIN_N_REASONS] = {
    [ORIGIN_REASON_INPUT] = "This file cannot be processed.",
    [ORIGIN_REASON_CODEC] = "Our encoder gave up on this video. Please try to export it anew.",
    [ORIGIN_REASON_CRASHED] = "Our encoder broke on this video. Please try to export it anew, "
                              "if you can as MP4 with H.264.",
    [ORIGIN_REASON_MEMORY] = "This video takes more memory to process than we allow. Please try a "
                             "smaller picture size.",
    [ORIGIN_REASON_TIME] = "This video takes longer to process than we allow. Please try a smaller "
                           "picture size or frame rate.",
    [ORIGIN_REASON_OUTPUT] = "This video becomes larger than we allow. Please try a smaller "
                             "picture size or a shorter video.",
};

static void trouble_set(struct origin_trouble *trouble, enum origin_task_reason reason,
                        const char *sentence)
{
    const char *text = sentences[reason] != NULL ? sentences[reason] : passing;

    trouble->reason = reason;
    trouble->is_final = reason == ORIGIN_REASON_INPUT;
    (void)snprintf(trouble->sentence, sizeof(trouble->sentence), "%s",
                   sentence != NULL && sentence[0] != '\0' ? sentence : text);
}

static bool is_want_of_room(int err)
{
    return err == -ENOSPC || err == -EDQUOT || err == -EROFS || err == -EMFILE || err == -ENFILE;
}

/* What no further attempt can change; of a FINISH, which reads no source, nothing. */
static bool is_fault_of_input(enum origin_task_kind kind, int err)
{
    return kind != ORIGIN_TASK_FINISH && (err == FB_E_UNSUPPORTED || err == FB_E_MALFORMED ||
                                          err == FB_E_CORRUPT || err == FB_E_LIMIT);
}

static void trouble_note(struct origin_trouble *trouble, const char *what, int err,
                         const char *text)
{
    size_t room = sizeof(trouble->log) - trouble->log_len;
    int n = snprintf(trouble->log + trouble->log_len, room, "%s: %s (%d)%s%s\n", what,
                     fb_err_text(err), err, text[0] != '\0' ? ": " : "", text);

    trouble->log_len += FB_MIN((size_t)FB_MAX(n, 0), room - 1);
}

void origin_trouble_of_word(enum origin_task_kind kind, const struct origin_word *word,
                            struct origin_trouble *trouble)
{
    int err = word->err;

    trouble->is_passing = is_want_of_room(err);
    if (is_fault_of_input(kind, err)) {
        trouble_set(trouble, ORIGIN_REASON_INPUT, word->text);
    } else if (err == FB_E_FOREIGN) {
        trouble_set(trouble, ORIGIN_REASON_CODEC, word->text);
    } else if (err == -ENOMEM) {
        trouble_set(trouble, ORIGIN_REASON_MEMORY, NULL);
    } else if (err == -EFBIG) {
        trouble_set(trouble, ORIGIN_REASON_OUTPUT, NULL);
    } else {
        trouble_set(trouble, ORIGIN_REASON_INTERNAL, NULL);
    }
    trouble_note(trouble, origin_task_kind_text(kind), err, word->text);
}

void origin_trouble_of_end(const struct origin_confine_end *end, struct origin_trouble *trouble)
{
    static const char *const causes[] = {
        [ORIGIN_ENDED_EXIT] = "it ended",
        [ORIGIN_ENDED_SIGNAL] = "it was ended by a signal",
        [ORIGIN_ENDED_CANCELED] = "it was canceled",
        [ORIGIN_ENDED_TIME] = "it took too long",
        [ORIGIN_ENDED_MEMORY] = "it took too much memory",
        [ORIGIN_ENDED_OUTPUT] = "it wrote too much",
        [ORIGIN_ENDED_TALK] = "it said something else than words",
    };
    static const enum origin_task_reason reasons[] = {
        [ORIGIN_ENDED_EXIT] = ORIGIN_REASON_CRASHED,
        [ORIGIN_ENDED_SIGNAL] = ORIGIN_REASON_CRASHED,
        [ORIGIN_ENDED_CANCELED] = ORIGIN_REASON_INTERNAL,
        [ORIGIN_ENDED_TIME] = ORIGIN_REASON_TIME,
        [ORIGIN_ENDED_MEMORY] = ORIGIN_REASON_MEMORY,
        [ORIGIN_ENDED_OUTPUT] = ORIGIN_REASON_OUTPUT,
        [ORIGIN_ENDED_TALK] = ORIGIN_REASON_CRASHED,
    };

    trouble_set(trouble, reasons[end->cause], NULL);
    int n = snprintf(trouble->log, sizeof(trouble->log), "%s (%d) after %llu ms, %llu KiB\n",
                     causes[end->cause], end->code, (unsigned long long)end->wall_ms,
                     (unsigned long long)(end->peak_bytes / 1024));
    size_t head = (size_t)FB_MAX(n, 0);
    size_t room = sizeof(trouble->log) - 1 - head;
    size_t tail = FB_MIN(end->log_len, room);
    memcpy(trouble->log + head, end->log + end->log_len - tail, tail);
    trouble->log_len = head + tail;
    trouble->log[trouble->log_len] = '\0';
}

void origin_trouble_of_worker(enum origin_task_reason reason, int err, const char *what,
                              struct origin_trouble *trouble)
{
    trouble->is_passing = is_want_of_room(err);
    trouble_set(trouble, reason, NULL);
    trouble_note(trouble, what, err, "");
}
