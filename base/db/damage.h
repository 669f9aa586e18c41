/*
 * Databases that are damaged, and can be done without.
 *
 *     err = fb_db_open(path, …), fb_db_migrate(), fb_db_check()
 *     if (err == FB_E_CORRUPT) {  close, fb_db_put_aside(path), log it, open anew }
 *
 * Threads    Whose the connection is.
 * Limits     check() reads all of the file.
 */
#pragma once

#include "base/core/attr.h"

struct fb_db;

/* Looks through all pages, also those that are seldom read. FB_E_CORRUPT. */
FB_MUST_CHECK int fb_db_check(struct fb_db *db);

/* Renames the file at `path` to `path.broken`, in the place of an earlier one, with what SQLite
 * keeps beside it. Nobody has it open here. What is not there is not missed. */
FB_MUST_CHECK int fb_db_put_aside(const char *path);
