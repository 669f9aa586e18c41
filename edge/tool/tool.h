/*
 * `forebay-edge store`: the operator's hands on a volume.
 *
 *     inspect   what is on it
 *     verify    whether it is whole
 *     format    makes a volume of it
 *     bench     how fast it is
 *
 * Each verb is a file of its own name; manual.c has their pages.
 */
#pragma once

/* `argv[0]` is the command's name. Returns the exit code. */
int edge_store_tool_main(int argc, char **argv);
