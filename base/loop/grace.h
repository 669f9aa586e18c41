/*
 * Grace: reading without a lock what others take out and free.
 *
 *     who reads                                 who takes out
 *
 *     fb_grace_enter()                          unlinks it: nobody comes to it any more
 *     follows links, loaded with acquire        fb_grace_wait(): whoever may have come to it
 *     takes a reference to what it keeps            before that has left
 *     fb_grace_leave()                          gives back what the link stood for, frees
 *
 * Between enter and leave, nothing that could be reached is freed, nor is a reference given back
 * that a link stands for: so there a count can be raised without asking whether it is still above
 * zero. Links are stored with release by one thread at a time, which some lock of theirs sees to.
 *
 * A section is some loads long. It takes no lock, waits for nothing, and writes one cache line,
 * which is the thread's own. A thread outside of sections, asleep or busy, holds nobody up; so
 * wait() takes about as long as a section, and if a reader has lost its CPU inside of one, until it
 * has it again, as a lock would.
 *
 * Ownership  Each thread that ever read has a cache line, which a later thread takes over.
 * Threads    Any.
 * Limits     wait() looks at one cache line for each thread that ever read at the same time.
 */
#pragma once

/* Begins a section on this thread, which has none open. */
void fb_grace_enter(void);

/* Ends it. */
void fb_grace_leave(void);

/* Returns when all sections that were open have ended. Locks may be held that no section takes,
 * which is any; this thread has no section open. */
void fb_grace_wait(void);
