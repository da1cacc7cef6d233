/* tmtp_header_internal.h - tables that tie the fields of a struct to the members of a JSON object
 *
 * Requests, pushes and second headers are each one const table: what a member is called, what kind it is, and where in
 * the struct its value lies. Decoding, composing and freeing follow the table, so a new member is one new line. Only
 * the tmtp_header*.c files include this: it is the one place of this folder that knows the JSON library.
 *
 * Decoding matches names without regard to (ASCII) case. null counts as absent. Two members for one field are an error;
 * members that no field asks for are ignored.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

enum header_kind {
    HEADER_TEXT,      /* char *: NULL when absent, left out when NULL; holds no NUL */
    HEADER_STRING,    /* char *: "" when absent, always written; holds no NUL */
    HEADER_BYTES,     /* char * and at `also` its size_t length: as TEXT, but may hold NULs */
    HEADER_UINT64,    /* uint64_t: 0 when absent, left out when 0 */
    HEADER_UINT64_IF, /* uint64_t and at `also` a bool "present" */
    HEADER_UINT32_IF, /* uint32_t and at `also` a bool "present" */
    HEADER_INT64,     /* int64_t, never negative: 0 when absent, left out when 0 */
    HEADER_SIZE,      /* int64_t, never negative: 0 when absent, always written */
    HEADER_SMALL,     /* int, -128..127: 0 when absent, left out when 0 */
    HEADER_FLAG,      /* bool: left out when false */
    HEADER_OBJECT,    /* char *: the text of a JSON object; NULL when absent */
    HEADER_TEXTS,     /* char ** and at `also` its size_t count: left out when empty */
    HEADER_LIST,      /* array of structs and at `also` its size_t count; at `has` (if not 0) a bool "present" */
    HEADER_OTHER,     /* the caller's own business: header_find() and json_object_set_new() */
};

struct header_table;

struct header_field {
    const char *key; /* as we spell it */
    enum header_kind kind;
    size_t at, also, has;             /* offsets in the struct */
    const struct header_table *items; /* LIST: what an element looks like */
    size_t max;                       /* LIST, TEXTS: most elements accepted */
};

struct header_table {
    const struct header_field *fields;
    size_t count; /* at most 64 */
    size_t struct_size;
};

/* Parses one JSON object; NULL with a short static reason when it is none. Owned by the caller (json_decref()). */
json_t *header_parse(const char *json, size_t len, const char **error_out);
/* The member, matched without regard to case; NULL when absent or null. Borrowed. */
json_t *header_find(json_t *object, const char *key);

/* Fills *struct_out, which is overwritten. 1, or -1 with a short static reason; then there is nothing to free. */
int header_decode(json_t *object, const struct header_table *table, void *struct_out, const char **error_out)
    __attribute__((warn_unused_result));
/* Frees what decoding allocated and zeroes the struct. */
void header_free(const struct header_table *table, void *values);
/* Adds the members to object in the table's order. 1, or -1 when a string is not UTF-8. */
int header_compose(const struct header_table *table, const void *values, json_t *object)
    __attribute__((warn_unused_result));
/* Appends the object's text, compact: as it was composed, or sorted by key and escaped as the reference server does it.
 * 1, or -1 when it does not fit. */
int header_dump(const json_t *object, bool sorted, struct strbuf *out) __attribute__((warn_unused_result));
