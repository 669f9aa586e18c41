/*
 * What the files of origin/confine share.
 */
#pragma once

#include "origin/confine/confine.h"

#include <sys/resource.h>
#include <sys/types.h>

struct sock_filter;

enum { CONFINE_RLIMITS_MAX = 8 };

struct confine_rlimit {
    int resource;
    rlim_t soft;
    rlim_t hard;
};

/* All that a child needs between fork and exec, where it may not allocate. */
struct confine_plan {
    const char *program;
    char *const *argv;
    char *const *environment;
    const char *folder;         /* to be in */
    int fds[3];                 /* to become 0, 1, 2; above 2 */
    int ruleset;                /* of Landlock; -1: none */
    struct sock_filter *filter; /* to be made the child's own before it is set */
    unsigned short n_filter;
    struct confine_rlimit rlimits[CONFINE_RLIMITS_MAX];
    unsigned n_rlimits;
    bool is_background;
    pid_t parent;
};

/* Stands for the child's process in the filter; no program has so high a number. */
#define CONFINE_OWN_PID 0x7EB0A1D5U

/* In the child: never returns. Only calls what may be called after fork() in a
 * process with threads. */
FB_NORETURN void origin_confine_become(struct confine_plan *plan);

/* In any process: its own user, network and IPC namespaces, if it may. */
bool origin_confine_unshare(void);

/* The list of allowed calls as a program for the kernel; the caller frees it. */
FB_MUST_CHECK int origin_confine_filter(struct sock_filter **ret_filter, unsigned short *ret_n,
                                        struct fb_diag *diag);

/* A ruleset of Landlock for the options; *ret_fd is -1 where the kernel has none. */
FB_MUST_CHECK int origin_confine_ruleset(const struct origin_confine_options *options, int *ret_fd,
                                         struct fb_diag *diag);
bool origin_confine_has_landlock(void);

/* The files below `path`: how many, and the room they take. */
FB_MUST_CHECK int origin_confine_measure(const char *path, uint64_t *ret_files,
                                         uint64_t *ret_bytes);

/* The most memory that process `pid` had resident since it was made; 0 if it is gone. */
uint64_t origin_confine_peak(pid_t pid);
