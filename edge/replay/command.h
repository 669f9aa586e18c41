/*
 * `forebay-edge replay`: see edge_replay_help() for its manual page.
 */
#pragma once

/* `argv[0]` is the command's name. Returns the exit code. */
int edge_replay_main(int argc, char **argv);
