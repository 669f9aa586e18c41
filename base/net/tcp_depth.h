/*
 * How much of what was sent waits in the kernel (TCP_NOTSENT_LOWAT).
 *
 * A few long sends cost less than many short ones, and of pages of files the kernel makes no copy.
 * But what waits counts as its memory all the same, and what a peer does not take is better left
 * where it was. So much may wait for a peer that takes it in a moment. One that was quick may stop
 * taking anything, with all of it waiting: so only TCP_DEPTH_MAX_QUICK peers of a loop have as much
 * at a time, and one that is seen to be slow (fb_tcp_retract()) gets no more, and keeps its place
 * among these until it has taken what waits.
 *
 * Apart from net_internal.h, whose headers know less of struct tcp_info than the kernel's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    TCP_DEPTH_BYTES = 128 * 1024,
    TCP_DEPTH_QUICK_BYTES = 1024 * 1024,
    TCP_DEPTH_QUICK_RATE = 8 * 1000 * 1000, /* bytes a second, measured by the kernel */
    TCP_DEPTH_MAX_QUICK = 128
};

/* True if the peer takes TCP_DEPTH_QUICK_BYTES in a moment. A system call. */
bool fb_tcp_is_quick(int fd);

/* Whether as much may wait as for a quick peer. A system call. False where it is denied. */
bool fb_tcp_set_depth(int fd, bool is_quick);
