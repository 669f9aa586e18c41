/*
 * The origin's work on videos, as the configuration has it.
 *
 * Threads    The main loop's.
 */
#pragma once

struct origin_node;

/* Makes node->jobs and adds their rounds; after the catalog, the objects, the keys and
 * the rounds. */
void origin_ingest_open(struct origin_node *node);
