/*
 * Confined children: a program that handles hostile bytes, run with the least power.
 *
 *     origin_confine_run ─► fork ─► limits ─► namespaces ─► Landlock ─► seccomp ─► exec
 *         ├── input: descriptor 0, a file in memory
 *         ├── lines of descriptor 1 ─► `line`; the tail of descriptor 2 ─► the end's log
 *         └── canceled, or beyond its time, memory or output ─► SIGKILL
 *
 * What the child has: the files and folders it was given, to read; one folder to write; the
 * system's libraries, to load itself. What it has not: network, other files, other processes (to
 * see, signal or start), descriptors of its parent, its parent's environment, privileges, the way
 * to any of them. It ends when the thread ends that runs it, also by SIGKILL of the process.
 *
 * Each ring stands alone where a kernel lacks another. seccomp is always there (without it nothing
 * is run): no sockets, no new processes, no signals to others. Landlock (Linux 5.13) bounds files:
 * without it a child reads and writes what its user may, and even with it can ask whether a file is
 * there. The namespaces are a second wall behind seccomp's, where the kernel lets users make them.
 * origin_confine_rings() tells what is in force.
 *
 * The resident memory is looked at four times a second; what a program takes in between is bounded
 * by RLIMIT_DATA (a quarter and 256 MiB more) and RLIMIT_AS (four times as much and 4 GiB). A
 * program with a sanitizer maps terabytes: in such builds there is neither limit, the resident
 * memory may be three times as much, and /proc may be read.
 *
 * Ownership  Everything passed in is borrowed for the call.
 * Threads    origin_confine_run() blocks, and calls back on the calling thread; any thread, any
 *            number at once.
 * Limits     Input of 64 MiB; lines of ORIGIN_CONFINE_LINE_MAX bytes; the last
 *            ORIGIN_CONFINE_LOG_MAX bytes of the log; the options' for the rest.
 * Failures   Negative when there was no child at all: errno, with a sentence. However a child
 *            ended, the result is FB_OK and struct origin_confine_end tells.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_diag;

enum {
    ORIGIN_CONFINE_LINE_MAX = 4096,
    ORIGIN_CONFINE_LOG_MAX = 4096,
    ORIGIN_CONFINE_READABLE_MAX = 8,
    ORIGIN_CONFINE_FILES_MAX = 250000 /* files in the output, if nothing less is said */
};

/* What keeps a child in; bits of origin_confine_rings(). */
enum origin_confine_ring {
    ORIGIN_RING_SECCOMP = 1,
    ORIGIN_RING_LANDLOCK = 2,     /* files */
    ORIGIN_RING_NAMESPACES = 4,   /* user, network, IPC */
    ORIGIN_RING_ADDRESS_SPACE = 8 /* RLIMIT_AS and RLIMIT_DATA */
};

/* Zero means no such limit (of files: ORIGIN_CONFINE_FILES_MAX). */
struct origin_confine_limits {
    uint64_t memory_bytes;
    uint64_t cpu_ms; /* of all threads, rounded up to a second */
    uint64_t wall_ms;
    uint64_t file_bytes;   /* of one file */
    uint64_t output_bytes; /* of all files in the output folder, as they take room */
    uint64_t output_files;
};

struct origin_confine_options {
    const char *program;     /* path of an executable file */
    const char *const *args; /* after the name; ends with NULL; may be NULL */
    const char *readable[ORIGIN_CONFINE_READABLE_MAX]; /* files and folders; ends with NULL */
    const char *output;  /* folder to write, and to be in; may be NULL */
    struct fb_str input; /* what it reads from descriptor 0 */
    struct origin_confine_limits limits;
    bool is_background; /* lowest priority for processor and disk */
    const struct fb_clock *clock;

    void *ctx;
    /* A line of descriptor 1, without its end. May be NULL. */
    void (*line)(void *ctx, struct fb_str line);
    /* Asked several times a second; true kills the child. May be NULL. */
    bool (*is_canceled)(void *ctx);
};

enum origin_confine_cause {
    ORIGIN_ENDED_EXIT,     /* by itself: `code` */
    ORIGIN_ENDED_SIGNAL,   /* by a signal that no limit explains: `code` */
    ORIGIN_ENDED_CANCELED, /* by is_canceled */
    ORIGIN_ENDED_TIME,     /* beyond cpu_ms or wall_ms */
    ORIGIN_ENDED_MEMORY,   /* beyond memory_bytes, or the program died of being refused more */
    ORIGIN_ENDED_OUTPUT,   /* beyond file_bytes, output_bytes or output_files */
    ORIGIN_ENDED_TALK      /* a line that is too long */
};

struct origin_confine_end {
    enum origin_confine_cause cause;
    int code; /* exit status or signal */
    uint64_t wall_ms;
    uint64_t cpu_ms;
    uint64_t peak_bytes;   /* resident */
    uint64_t output_bytes; /* when it was last looked at */
    size_t log_len;
    char log[ORIGIN_CONFINE_LOG_MAX + 1]; /* NUL-terminated; any bytes */
};

/* Runs a program to its end. Exit status 125 to 127 is that of a child that could not be
 * confined or started (its log says why). */
FB_MUST_CHECK int origin_confine_run(const struct origin_confine_options *options,
                                     struct origin_confine_end *ret_end, struct fb_diag *diag);

/* The rings that children get on this system; tries with a child. */
unsigned origin_confine_rings(void);

/* Appends the rings as words: "seccomp, landlock, namespaces". */
void origin_confine_describe(unsigned rings, struct fb_buf *text);

/* From within a child that has loaded what it needs: no other program from here on. */
FB_MUST_CHECK int origin_confine_settle(void);
