/*
 * A file system under SQLite of which any one write can fail, or all from one on: as when a drive
 * breaks for a moment, or the process ends there. Nothing waits for a drive: what was written is
 * there for whoever opens the database next, as it is unless the machine loses its power.
 *
 * Chances are counted over all databases of the process: writes, syncs, truncations and removals.
 *
 * Ownership  Installed once, for as long as the process lives.
 * Threads    One at a time.
 */
#pragma once

#include <stdbool.h>

/* Databases that are opened from now on stand on it. Nothing fails yet. */
void test_db_faults_install(void);

/* The chance after `n` more fails, and with `stays` all that follow. */
void test_db_faults_after(long n, bool stays);

/* No more of it. */
void test_db_faults_none(void);

/* True if something has failed since the last ..._after(). */
bool test_db_faults_happened(void);
