/* smtp_scene.h - a listener, one client in memory and an owner who says yes, for the tables in tests/dialogue/smtp_tables
 *
 * The scripts in smtp_server/ say everything line by line; the tables play many short scenes that differ in little.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "smtp/smtp_server.h"

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct smtp_listener *listener;
    struct smtp_server_callbacks callbacks;
    struct stream *client; /* NULL: closed */
    struct strbuf received;
    struct strbuf content; /* of the last message */
    unsigned mails, messages, abandoned;
    bool is_slow; /* the owner thinks for a few turns about everything */
    /* the open question */
    enum { SCENE_NO_QUESTION, SCENE_MAIL, SCENE_RECIPIENT, SCENE_MESSAGE } question;
    struct smtp_transaction *asking;
    size_t index;
};

struct scene_settings {
    bool is_lmtp, needs_tls, is_slow;
};

/* Connected, the greeting is received. */
struct scene *scene_new(const struct scene_settings *settings);
void scene_free(struct scene **scene);
/* Sends and lets everything follow that will: as one packet; byte by byte; in two packets, parted at cut. */
void scene_send(struct scene *scene, const char *data, size_t len);
void scene_send_bytes(struct scene *scene, const char *data, size_t len);
void scene_send_parted(struct scene *scene, const char *data, size_t len, size_t cut);
void scene_say(struct scene *scene, const char *text); /* scene_send() of a string */
void scene_cut(struct scene *scene);                   /* the client closes */
/* The last lines of the replies received since `from`, "250 2.0.0 Ok" each; 0 lines: *text_out is untouched. */
size_t scene_count_replies(const struct scene *scene, size_t from);
/* Reply number n (its last line) since `from`; NULL when there are fewer. Not NUL-terminated: ends with CRLF. */
const char *scene_reply(const struct scene *scene, size_t from, size_t n);
/* No log lines on the terminal. */
void scene_silence_log(void);
