/*
 * Checks: asks each upstream in use now and then whether it is well.
 *
 * A check is a GET that wants a 2xx. An upstream that fails `check_unhealthy` in a row is
 * out of service until it passes `check_healthy` in a row. What requests tell of it counts
 * besides: a server that passes its checks may still be ejected for failing them.
 *
 * Pools that come into use are noticed within a second, in no hurry: the first check of a server
 * comes at a random moment of the interval, later ones a quarter earlier or later, so that
 * nodes do not ask in step.
 *
 * Ownership  One per process; the upstreams outlive it.
 * Threads    One loop's.
 * Limits     One check of a server at a time.
 */
#pragma once

struct edge_checks;
struct edge_upstreams;
struct fb_loop;

struct edge_checks *edge_checks_new(struct edge_upstreams *upstreams, struct fb_loop *loop);

/* Asks nobody any more, and frees itself when the loop has turned. Accepts NULL. */
void edge_checks_close(struct edge_checks *checks);
