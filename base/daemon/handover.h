/*
 * Handovers: a program starts itself anew and gives its listening sockets to the new process,
 * which begins when that one can serve. What is said between them, over a pair of sockets:
 *
 *     old                                                new
 *      │── started, with the pair as $FOREBAY_HANDOVER ──►│
 *      │── "forebay 1", a "socket" each, "words", "end" ─►│ reads its configuration, sets up
 *      │◄───────── "ready" (or "refused CODE REASON") ────│
 *      │── "go" ─────────────────────────────────────────►│ accepts connections
 *      │◄──────────────────────────────────────── "taken"─│
 *      │   drains                                         │
 *      │── "quiet": no request begins in the old one ────►│ its admin address answers
 *      │── "free": all that only one can have is free ───►│ opens it
 *
 * Until "taken" nothing has changed for the old process: whatever goes wrong, it kills the new one
 * and goes on. A connection that ends says "quiet" and "free", for the old process is gone then.
 *
 * Ownership  fb_handover_new() → free; heirs: receive → done.
 * Threads    One at a time, and what waits blocks: not on a loop. interrupt and kill on any.
 * Limits     FB_SOCKETS_MAX sockets, FB_HANDOVER_WORDS_MAX bytes of words; each wait has a timeout.
 * Failures   FB_E_TIMEOUT, FB_E_CLOSED (it ended), FB_E_MALFORMED; the code of the heir's refusal
 *            is FB_E_DENIED if its configuration is bad, else FB_E_UNAVAILABLE.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/net/sockets.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fb_buf;
struct fb_handover;

enum { FB_HANDOVER_WORDS_MAX = 65536 };

/* ---- the old process ----------------------------------------------------- */

FB_MUST_CHECK int fb_handover_new(struct fb_handover **ret_handover);

struct fb_handover_gift {
    const struct fb_sockets *sockets;
    struct fb_str words; /* what programs tell each other; may be empty */
};

/* Starts `argv`, gives it `gift`, and waits until it is ready. */
FB_MUST_CHECK int fb_handover_start(struct fb_handover *handover, char *const *argv,
                                    const struct fb_handover_gift *gift, uint32_t timeout_ms,
                                    struct fb_diag *diag);

/* Lets it begin, and waits until it has. */
FB_MUST_CHECK int fb_handover_go(struct fb_handover *handover, uint32_t timeout_ms,
                                 struct fb_diag *diag);

/* Say so; nobody may listen any more. */
void fb_handover_tell_quiet(struct fb_handover *handover);
void fb_handover_tell_free(struct fb_handover *handover);

/* Ends a wait for "ready", now or later, with FB_E_CLOSED. */
void fb_handover_interrupt(struct fb_handover *handover);

/* The new process ends, if there is one. */
void fb_handover_kill(struct fb_handover *handover);

pid_t fb_handover_pid(const struct fb_handover *handover);

/* Accepts NULL. The new process, if it was not killed, lives on. */
void fb_handover_free(struct fb_handover *handover);

/* ---- the new process ------------------------------------------------------ */

struct fb_heir {
    int fd; /* owned; 0: there was no process before */
    bool is_free;
    bool is_quiet;
};

/* Takes what the environment names; without that, an heir of nobody. `sockets` and `words` are
 * empty before. */
FB_MUST_CHECK int fb_heir_receive(struct fb_heir *ret_heir, struct fb_sockets *sockets,
                                  struct fb_buf *words, struct fb_diag *diag);

/* Says that it is ready, and waits for "go". */
FB_MUST_CHECK int fb_heir_be_ready(struct fb_heir *heir, uint32_t timeout_ms, struct fb_diag *diag);

/* Says that it will not be. */
void fb_heir_refuse(struct fb_heir *heir, bool is_usage, const char *reason);

/* Says that it serves, and waits until it is quiet over there, but no longer than that. */
void fb_heir_take(struct fb_heir *heir, uint32_t timeout_ms);

/* Waits until all is free, as long as that takes, or for fb_heir_interrupt(). */
void fb_heir_wait_free(struct fb_heir *heir);
void fb_heir_interrupt(struct fb_heir *heir);

/* Safe on zero. */
void fb_heir_done(struct fb_heir *heir);
