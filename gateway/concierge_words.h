/* concierge_words.h - what somebody has said to the gateway, as orders
 *
 * A text is understood as a whole or not at all: each line is an order, a courtesy ("Hello", "thank you", a name below
 * "Regards"), a mark of CommonMark, a quotation ("> ...", which is somebody else's word and says nothing here), or empty;
 * below a line "-- " stands a signature. One word that means nothing to us, anywhere else, and there are no orders. Two
 * parts of an order are free text: the reason of a denial, and the name of a group.
 *
 * Pure: no I/O, nothing is allocated.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/concierge_line.h"

enum {
    CONCIERGE_TEXT_MAX = 4096, /* octets of a text */
    CONCIERGE_LINES_MAX = 100,
    CONCIERGE_ORDERS_MAX = 20,  /* in a text; each person and number is one */
    CONCIERGE_PHRASE_MAX = 300, /* octets of a reason, or of a group's name */
    CONCIERGE_WHY_SIZE = 400,
};

/* In the order of the help. */
enum concierge_verb {
    CONCIERGE_INVITE,
    CONCIERGE_REVOKE,
    CONCIERGE_LIST,
    CONCIERGE_WHO,
    CONCIERGE_REPORTS_ON,
    CONCIERGE_REPORTS_OFF,
    CONCIERGE_PENDING,
    CONCIERGE_APPROVE,
    CONCIERGE_DENY,
    CONCIERGE_SUSPEND,
    CONCIERGE_RESUME,
    CONCIERGE_HELP,
    CONCIERGE_VERB_COUNT,
};
const char *concierge_verb_name(enum concierge_verb verb);    /* "reports on" */
const char *concierge_verb_usage(enum concierge_verb verb);   /* "deny NUMBER [reason]" */
const char *concierge_verb_meaning(enum concierge_verb verb); /* what the help says */
bool concierge_verb_is_admins(enum concierge_verb verb);      /* only admins may say it */

struct concierge_order {
    enum concierge_verb verb;
    int64_t number;                        /* of a mapping; 0: by address, or of none */
    char address[CONCIERGE_ADDRESS_SIZE];  /* as written; "" */
    char phrase[CONCIERGE_PHRASE_MAX + 1]; /* the reason; of INVITE the group, "" for oneself */
    char until[11];                        /* of APPROVE: "2027-01-31"; "" */
    enum concierge_verb topic;             /* of HELP: HELP for all of it */
};

struct concierge_words {
    struct concierge_order orders[CONCIERGE_ORDERS_MAX];
    size_t count; /* 0: nothing was asked for, or it was not understood */
    /* when it was not */
    char line[CONCIERGE_WHY_SIZE]; /* the line that was not understood, clean text; "" when there is no such */
    char why[CONCIERGE_WHY_SIZE];  /* a sentence for whoever wrote it */
    enum concierge_verb about;     /* whose usage may help; VERB_COUNT: nobody knows */
};

/* Names that may stand in courtesies: "Hello Email Gateway", "Regards, Alice". Borrowed; "" for none. */
struct concierge_names {
    const char *gateway, *author;
};
/* Was all of it understood? (With no orders: there was only courtesy.) */
bool concierge_words_read(const char *text, size_t len, const struct concierge_names *names,
                          struct concierge_words *out);
