/*
 * Languages: from the three letters of a container to a tag and a name.
 *
 * Threads    Pure functions.
 */
#pragma once

struct origin_language {
    const char *iso639; /* ISO 639-2, bibliographic or terminologic: "ger" */
    const char *tag;    /* BCP 47: "de" */
    const char *name;   /* in its own language: "Deutsch" */
};

/* For a code of two or three letters of either case, or NULL if it is unknown
 * ("und" is). Lives for ever. */
const struct origin_language *origin_language_find(const char *code);
