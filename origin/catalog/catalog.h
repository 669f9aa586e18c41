/*
 * The catalog: what the origin knows, and the only SQL of it.
 *
 * One SQLite database behind functions that each do one whole thing: a read,
 * or one transaction. There is one header and one file per table:
 *
 *     users ◄── refresh_tokens        accounts and their sessions
 *       ▲
 *     videos ◄── jobs                 what was uploaded, and the work on it
 *       ▲
 *     renditions, files               what was published of it
 *
 *     likes, saves, shares, comments  what users do with videos
 *     follows                         … and with users
 *     video_counters, user_counters   the sums of these
 *     idempotency_keys, moderation    answers to repeated requests; decisions and why
 *
 * Ownership  open → close. What a function gives back is a copy, in the
 *            caller's struct or arena.
 * Threads    Blocking; any thread. Each call takes a connection for its time.
 * Failures   FB_E_NOT_FOUND, FB_E_EXISTS, FB_E_CONFLICT where a function says
 *            so; else what base/db gives (FB_E_BUSY, -ENOSPC, FB_E_CORRUPT …).
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

struct fb_clock;
struct origin_catalog;

/* Opens or makes the database at `url`, "sqlite:<file>" with its folders, and
 * brings its schema up to date. `max_connections`: as many as threads call. */
FB_MUST_CHECK int origin_catalog_open(struct fb_str url, unsigned max_connections,
                                      const struct fb_clock *clock,
                                      struct origin_catalog **ret_catalog, struct fb_diag *diag);

/* Requires that no call is under way. Accepts NULL. */
void origin_catalog_close(struct origin_catalog *catalog);

/* The file that `url` names, a view into it; ptr NULL if it names none. */
struct fb_str origin_catalog_file(struct fb_str url);
