/* concierge.c - see concierge.h */
#include "gateway/concierge.h"

#include <stddef.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/notice.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"

enum { WORD_MAX = 40 };
static const int64_t helped_again_ms = INT64_C(24) * 3600 * 1000;

/* Does what the word says, and writes the answer. 1 or -1. */
typedef int act(struct store_db *db, struct store_member *member, struct strbuf *answer);
static act reports_on, reports_off, help;

static const struct word {
    const char *text;
    const char *subject; /* of the answer */
    const char *meaning; /* in the help */
    act *act;
} words[] = {
    { "reports on", "Delivery reports are on", "you are told when your messages have been delivered by email",
      reports_on },
    { "reports off", "Delivery reports are off", "you are told only when something is late or has failed",
      reports_off },
    { "help", "What the gateway understands", "this list", help },
};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

static const char *state_words(const struct store_member *member)
{
    return member->wants_reports
               ? "Delivery reports are on. For each message that you write from now on you are told, in its thread, "
                 "when "
                 "the other side's mail server reports that it has been delivered, or that it gives no such reports."
               : "Delivery reports are off. You are told only when a message of yours is late, or could not be "
                 "delivered.";
}

static int set_reports(struct store_db *db, struct store_member *member, bool on, struct strbuf *answer)
{
    member->wants_reports = on;
    if (store_member_set_reports(db, member->id, on) != 1)
        return -1;
    strbuf_add_fmt(answer, "%s\n\nTo change it, send the gateway a ping: `reports %s`.\n", state_words(member),
                   on ? "off" : "on");
    return 1;
}

static int reports_on(struct store_db *db, struct store_member *member, struct strbuf *answer)
{
    return set_reports(db, member, true, answer);
}

static int reports_off(struct store_db *db, struct store_member *member, struct strbuf *answer)
{
    return set_reports(db, member, false, answer);
}

static int help(struct store_db *db, struct store_member *member, struct strbuf *answer)
{
    (void)db;
    strbuf_add_str(answer, "Send the gateway a ping with one of these:\n\n");
    for (size_t i = 0; i < WORD_COUNT; i++)
        strbuf_add_fmt(answer, "- `%s`: %s\n", words[i].text, words[i].meaning);
    strbuf_add_fmt(answer, "\n%s\n", state_words(member));
    return 1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Lower case, single spaces, none at the ends, no final dot. False: it is too long for a word. */
static bool normalise(const char *text, char out[static WORD_MAX + 1])
{
    size_t len = 0;
    for (; *text; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text + ('a' - 'A')) : *text;
        if (is_space(c) && (len == 0 || out[len - 1] == ' '))
            continue;
        if (len == WORD_MAX)
            return false;
        out[len++] = is_space(c) ? ' ' : c;
    }
    while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == '.'))
        len--;
    out[len] = 0;
    return true;
}

static const struct word *find_word(const char *text)
{
    char normal[WORD_MAX + 1];
    for (size_t i = 0; i < WORD_COUNT && normalise(text, normal); i++)
        if (strcmp(normal, words[i].text) == 0)
            return &words[i];
    return NULL;
}

const char *concierge_find_word(const char *text)
{
    const struct word *word = find_word(text);
    return word ? word->text : NULL;
}

/* 1 answered, 0 not, -1. */
static int answer_member(struct store_db *db, const struct concierge_ping *ping, struct store_member *member,
                         const char **word_out)
{
    const struct word *word = find_word(ping->text);
    if (!word && (!ping->was_known || ping->now - member->helped_at < helped_again_ms))
        return 0;
    int fresh = store_seen_tmtp(db, ping->msgid, ping->now); /* its ack may have been lost */
    if (fresh != 1)
        return fresh;
    *word_out = word ? word->text : "";
    struct strbuf answer;
    strbuf_init(&answer, 4000);
    if (!word)
        strbuf_add_str(&answer, "The gateway has not understood your ping.\n\n");
    int result = (word ? word->act : help)(db, member, &answer);
    if (result == 1 && !word)
        result = store_member_set_helped(db, member->id, ping->now);
    struct notice notice = { .to.member_id = member->id,
                             .subject = word ? word->subject : "What the gateway understands",
                             .text = answer.data };
    if (result == 1)
        result = notice_add(db, &notice, ping->now);
    strbuf_free(&answer);
    return result == 1 ? 1 : -1;
}

int concierge_answer(struct store_db *db, const struct concierge_ping *ping, const char **word_out)
{
    struct store_member member;
    *word_out = "";
    if (strcmp(ping->text, CONCIERGE_GREETING) == 0)
        return 0;
    int found = store_member_find_by_uid(db, ping->uid, &member);
    if (found != 1)
        return found;
    int result = answer_member(db, ping, &member, word_out);
    store_member_free(&member);
    return result;
}
