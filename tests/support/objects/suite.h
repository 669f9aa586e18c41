/*
 * What the files of objects-suite share: one store, and bytes that tell their place.
 */
#pragma once

#include "origin/objects/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PATH_LEN = 512, PART = 5 << 20 };

struct suite {
    const char *scratch;
    struct origin_objects_options options;
};
extern struct suite suite;

/* The store, opened anew for each test; all that a test leaves is below "t". */
struct fixture {
    struct origin_objects *objects;
};
int suite_set_up(void **state);
int suite_tear_down(void **state);

/* Bytes of which those of another part or offset differ. */
void suite_fill(char *bytes, size_t n, uint64_t offset, unsigned seed);
void suite_assert_file(const char *path, uint64_t size, unsigned seed);

/* What looking for it gives. */
int suite_stat(struct fixture *f, const char *key);

/* A file of the folder for them. */
void suite_path(const char *name, char path[PATH_LEN]);

/* ---- parts.c ------------------------------------------------------------ */

/* Objects in parts; how many tests failed. */
int suite_run_parts(void);
