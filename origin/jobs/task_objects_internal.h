/*
 * What the files of the routes for tasks' objects share.
 */
#pragma once

#include "origin/jobs/task_objects.h"
#include "origin/model/id.h"
#include "origin/model/result.h"
#include "origin/objects/objects.h"

#include <stdbool.h>

struct fb_exchange;

struct origin_task_objects {
    struct origin_task_objects_options options;
};

/* Who asks, and for what. */
struct task_objects_ask {
    struct origin_id task;
    struct origin_id lease;
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
};

/* Reads it off the request, whose token it checks; false if it has responded. */
bool origin_task_objects_ask(struct origin_task_objects *service, struct fb_exchange *exchange,
                             struct task_objects_ask *ret_ask);

/* On the pool: whether the holder of the lease may. FB_E_CONFLICT, FB_E_DENIED. */
int origin_task_objects_may(struct origin_task_objects *service, const struct task_objects_ask *ask,
                            bool writes);

/* What was put, as a file of the version; false if it is none of those that players get. */
bool origin_task_objects_file(const struct task_objects_ask *ask, uint64_t size,
                              const uint8_t sha256[ORIGIN_DIGEST_LEN],
                              struct origin_result_file *ret_file);

void origin_task_objects_refuse(struct fb_exchange *exchange, int err);

/* ---- task_objects_put.c -------------------------------------------------------- */

void origin_task_objects_put(void *ctx, struct fb_exchange *exchange);
