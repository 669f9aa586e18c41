/*
 * A disk in memory, whose power can be cut.
 *
 * Writes are seen by reads at once, but are durable only after a SYNC. Cutting
 * the power gives a new disk on which each 4 KiB block of each write that no
 * SYNC followed was kept, lost or torn, by chance from a seed:
 *
 *     run a script once ──► test_disk_cut_after(disk, n, seed) for every n ──► reopen each
 *
 * Memory is used for blocks that were written; copies share them, so that
 * thousands of cut disks of one run cost little. Time is counted in events: each
 * write and each sync that took place is one, also a write that failed and left
 * a part.
 *
 * Ownership  A test_disk outlives every fb_disk opened over it.
 * Threads    Any; fb_disk_resume() rules where held requests are let go.
 */
#pragma once

#include "base/disk/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_disk;

struct test_disk *test_disk_new(uint64_t size);
void test_disk_free(struct test_disk *disk);

/* An fb_disk over it, to be closed with fb_disk_close(); any number of times. */
struct fb_disk *test_disk_open(struct test_disk *disk);

/* ---- what happened ------------------------------------------------------- */

struct test_disk_counts {
    uint64_t n_reads; /* attempts, also those that failed */
    uint64_t n_writes;
    uint64_t n_syncs;
    uint64_t read_bytes;
    uint64_t written_bytes;
    uint64_t n_faults; /* how many were made to fail or cut short */
};

struct test_disk_counts test_disk_counts(struct test_disk *disk);

/* A write or sync that took place. */
struct test_disk_event {
    enum fb_disk_verb verb;
    uint64_t offset;
    size_t n;
};

/* Without this only events since the last sync are kept. At the beginning. */
void test_disk_keep_history(struct test_disk *disk);

/* How many events there were since the disk was made. */
size_t test_disk_n_events(struct test_disk *disk);

/* The n-th event, from 0; history is kept. */
struct test_disk_event test_disk_event(struct test_disk *disk, size_t n);

/* ---- power --------------------------------------------------------------- */

/* What is found when the power comes back, if it is cut now. The disk itself
 * goes on as if nothing had been. */
struct test_disk *test_disk_cut(struct test_disk *disk, uint64_t seed);

/* As if it had been cut right after the first `n_events`; history is kept. */
struct test_disk *test_disk_cut_after(struct test_disk *disk, size_t n_events, uint64_t seed);

/* The same bytes, all durable. */
struct test_disk *test_disk_clone(struct test_disk *disk);

/* ---- faults -------------------------------------------------------------- */

struct test_disk_fault {
    enum fb_disk_verb verb;
    uint64_t n_good; /* so many more succeed before */
    int err;         /* what it fails with; 0: it moves only half of its blocks */
    bool for_ever;   /* so do all that follow */
    bool is_torn;    /* a failing write leaves the first half of its blocks */
};

/* One at a time for each verb; counted from now. */
void test_disk_fail(struct test_disk *disk, struct test_disk_fault fault);

/* No fault any more. */
void test_disk_heal(struct test_disk *disk);

/* Pulled out: everything fails with -ENODEV and fb_disk_is_present() is false.
 * Or put back. */
void test_disk_set_present(struct test_disk *disk, bool is_present);

/* Turns one bit over, durably and unseen. */
void test_disk_flip(struct test_disk *disk, uint64_t offset, unsigned bit);

/* From now on requests of `verb` through a queue are kept, until
 * test_disk_release() performs them in order and holds no more. */
void test_disk_hold(struct test_disk *disk, enum fb_disk_verb verb);
size_t test_disk_n_held(struct test_disk *disk);
void test_disk_release(struct test_disk *disk);
