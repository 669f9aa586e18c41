/*
 * Where lines of the log end up; of base/log alone.
 *
 * Nobody waits for the reader of a log: what has no room in a pipe, a socket or
 * a terminal is dropped, by whole lines, and counted; as soon as there is room
 * again a line says how many. A line that has begun to go out and finds no room
 * for its end is not dropped: the rest is kept, and goes before all else.
 *
 * The descriptor is another's too, and is not made non-blocking: a pipe that
 * poll(2) calls writable takes PIPE_BUF bytes at once, a terminal a little, a
 * socket is asked not to wait. Regular files are written as they are.
 *
 * Threads    Any. One lock keeps the order of lines; nobody waits with it held.
 * Limits     Another process that fills the last room of the same pipe between
 *            poll(2) and write(2) makes that one write wait.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

/* From here on lines go to `fd` (borrowed). What the one before owes is forgotten. */
void fb_log_sink_open(int fd);

/* Writes whole lines, and waits for room up to `wait_ms` in all. Returns how many were dropped. */
size_t fb_log_sink_write(struct fb_str lines, unsigned wait_ms);

/* Writes may wait for room from here on, until `wait_ms` have passed. */
void fb_log_sink_end(unsigned wait_ms);

/* Adds the line that tells of `n` lines dropped. It is in log.c, which knows the format. */
void fb_log_tell_dropped(struct fb_buf *buf, uint64_t n);
