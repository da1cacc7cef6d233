/* tmtp_main_json.h - output for programs: one JSON object a line */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum { JSON_BODY_MAX = 16 * 1024 * 1024 }; /* what is longer is cut, and has a defect */

struct tmtp_push;
struct tmtp_message;

struct json_word {
    const char *key, *value; /* value NULL: left out */
};

/* What was received; what is NULL is left out. */
struct json_item {
    const struct tmtp_push *push;
    const struct tmtp_message *message;
    const char *op, *threadid, *body;
    size_t body_len;
    char *const *paths; /* of saved attachments, as many as message->attach; an entry may be NULL */
    const char *defect; /* what is wrong with it */
};

void json_print_words(const struct json_word *words); /* ends with key NULL */
void json_print_item(const struct json_item *item);

/* Appends text as valid UTF-8: what is not becomes U+FFFD. printable: controls but newline and tab do too (a terminal
 * would obey them). */
void text_add_clean(struct strbuf *out, const char *text, size_t len, int printable);
