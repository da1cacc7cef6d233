/* tmtp_client_play.h - what the source files of the TMTP client's dialogues share; nobody else includes it
 *
 *   tmtp_client_dialogue.c   the scripts' lines, the silo's end, the clock
 *   tmtp_client_owner.c      the owner: what the client tells it, and what it does
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"

struct tmtp_frame_decoder;

enum {
    LINE_MAX_LEN = 4000,
    TURNS = 60,
    EVENTS_MAX = 4000,
    SHOWN_MAX = 80,
    DATA_MAX = 64 * 1024 * 1024,
    SPLIT_MAX = 600
};

struct events { /* texts in order; those before `next` have been matched */
    char *text[EVENTS_MAX];
    size_t count, next;
};

enum manner { AS_IT_IS, BYTE_BY_BYTE, CAPITALISED, MANNERS };

struct play {
    const char *file;
    int line;
    struct clock *clock;
    struct loop *loop;
    struct tmtp_client_settings settings;
    char *owned[8]; /* strings that the settings point to */
    size_t owned_count;
    struct tmtp_client *client;
    struct stream *silo; /* the silo's end */
    struct tmtp_frame_decoder *decoder;
    struct tmtp_request request; /* being received by the silo */
    struct strbuf data;
    bool network_down;
    enum manner manner;
    bool in_call; /* the owner is calling the client: no callback may come */
    uint64_t returned;
    struct events requests, callbacks;
    char barrier[64];
    char token[200]; /* what the owner has for OpenID Connect: an object, or (anything else) why there is none; "" */
};

extern const struct tmtp_client_callbacks play_owner;      /* answers and shows everything */
extern const struct tmtp_client_callbacks play_deaf_owner; /* has no callbacks but on_state */

struct verb {
    const char *name;
    void (*run)(struct play *play, char *args);
};

/* Runs the verb that the line begins with; unknown ones fail the test. */
void play_run_verb(struct play *play, const struct verb *verbs, size_t count, char *line);
void play_do(struct play *play, char *line); /* a deed of the owner's */

/* Cuts *rest at the first separator, and returns what is before it; *rest goes past it. */
char *play_next_word(char **rest, char separator);
void play_callback_event(struct play *play, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint8_t play_pattern(size_t i);
/* Short data as it is; long data must be the pattern. */
void play_show_data(struct strbuf *out, const char *data, size_t len);
