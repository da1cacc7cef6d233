/* why_words.c - see why_words.h */
#include "gateway/why_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "mapping/store_queue_list.h"
#include "mapping/store_refusal.h"

static void add_time(int64_t at, struct strbuf *out)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(at, text);
    strbuf_add_str(out, text);
}

/* --- where it stands --- */

static const char *what_it_is(const struct store_queue_summary *summary)
{
    static const struct {
        enum store_queue queue;
        const char *kind, *name;
    } names[] = {
        { STORE_QUEUE_IN, "mail", "Mail" },
        { STORE_QUEUE_IN, "notice", "A notice of the gateway" },
        { STORE_QUEUE_IN, "returned", "Mail that came to a return address of ours" },
        { STORE_QUEUE_OUT, "message", "A message" },
        { STORE_QUEUE_OUT, "forward", "A forwarded thread" },
        { STORE_QUEUE_OUT, "files", "Files of a forwarded thread" },
        { STORE_QUEUE_OUT, "report", "A report of the gateway" },
        { STORE_QUEUE_OUT, "invitation", "An invitation" },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].queue == summary->queue && strcmp(names[i].kind, summary->kind) == 0)
            return names[i].name;
    return "A message";
}

/* How a message has ended that is not in the queue any more. */
static void add_end(const struct store_queue_summary *summary, struct strbuf *out)
{
    if (summary->state == STORE_QUEUE_DROPPED)
        strbuf_add_str(out, "was given up: nobody else gets it");
    else if (strcmp(summary->kind, "returned") == 0)
        strbuf_add_str(out, "was read, and whom it concerns was told");
    else if (summary->recipient_count == 0 || summary->delivered_count + summary->failed_count == 0)
        strbuf_add_str(out, "went to nobody");
    else if (summary->failed_count == 0)
        strbuf_add_str(out, "was delivered");
    else if (summary->delivered_count == 0)
        strbuf_add_str(out, "could not be delivered");
    else
        strbuf_add_fmt(out, "was delivered to %" PRId64 " of %" PRId64 " recipients", summary->delivered_count,
                       summary->recipient_count);
}

static const char *article_of(const char *doing)
{
    static const struct {
        const char *doing, *words;
    } known[] = {
        { "under way", "is being delivered at this moment" },
        { "due", "waits for its turn, which is now" },
        { "held", "is held: it stays until an administrator says queue retry or queue drop" },
        { "awaits approval",
          "is held: nobody has decided yet whether its author may write. An administrator may approve or deny "
          "the mapping that it asks for (mapping approve, mapping deny), or let this message alone pass or go "
          "(held release, held drop)" },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].doing, doing) == 0)
            return known[i].words;
    return NULL;
}

void why_words_add_summary(const struct store_queue_summary *summary, const char *doing, struct strbuf *out)
{
    const char *words = doing ? article_of(doing) : NULL;
    strbuf_add_str(out, what_it_is(summary));
    if (summary->from[0] && strcmp(summary->kind, "notice") != 0 && strcmp(summary->kind, "report") != 0)
        strbuf_add_fmt(out, " from %s", summary->from);
    if (summary->to[0])
        strbuf_add_fmt(out, " to %s", summary->to);
    if (summary->recipient_count > STORE_QUEUE_NAMES_MAX)
        strbuf_add_fmt(out, " and %" PRId64 " more", summary->recipient_count - STORE_QUEUE_NAMES_MAX);
    strbuf_add_char(out, ' ');
    if (!doing) {
        add_end(summary, out);
    } else if (words) {
        strbuf_add_str(out, words);
    } else {
        strbuf_add_str(out, "could not be delivered so far, and is tried again at ");
        add_time(summary->next_attempt_at, out);
    }
    if (doing && summary->last_error[0])
        strbuf_add_fmt(out, "; what stood in the way last: %s", summary->last_error);
    strbuf_add_char(out, '.');
}

/* --- what happened --- */

/* The detail goes on where the lead ends. The first that fits is taken: event, queue, beginning of the detail. */
static const struct lead {
    const char *event;
    int queue; /* -1: either */
    const char *begins;
    const char *lead;
} leads[] = {
    { "received", STORE_QUEUE_IN, "", "It came in " },
    { "received", STORE_QUEUE_OUT, "", "It came in " },
    { "proven", -1, "", "Who wrote it: " },
    { "checked", -1, "", "What our own checks of its author found: " },
    { "authorised", -1, "", "It was let in " },
    { "files", -1, "", "Its files were looked at " },
    { "refused", STORE_QUEUE_IN, "for ", "It was refused " },
    { "refused", -1, "", "It was refused: " },
    { "held", -1, "for ", "It was held " },
    { "held", -1, "by ", "An administrator has held it, " },
    { "held", -1, "again: ", "It is held " },
    { "held", -1, "", "It was set aside for an administrator: " },
    { "released", -1, "by ", "It was released " },
    { "released", -1, "", "It was released: " },
    { "read", -1, "by ", "An administrator has looked at what it says, while it was held, " },
    { "opened", -1, "", "It was unsealed for delivery: " },
    { "expired", -1, "", "It was given up: " },
    { "dropped", -1, "by ", "An administrator has dropped it, " },
    { "dropped", -1, "", "It was dropped: " },
    { "retried", -1, "by ", "It was made due at once, " },
    { "answers", -1, "", "It answers " },
    { "repeated", -1, "", "The same mail " },
    { "returned", -1, "to the return address", "It came " },
    { "returned", -1, "", "It went back to its sender: " },
    { "report", -1, "", "Reports to its sender: " },
    { "reported", -1, "a report about", "It is " },
    { "reported", -1, "", "A report has said: " },
    { "ignored", -1, "", "It changes nothing: " },
    { "answer", -1, "no report", "It is " },
    { "answered", -1, "", "It was answered " },
    { "unreadable", -1, "", "It is a report that could not be read, " },
    { "noticed", -1, "", "It is " },
    { "converted", STORE_QUEUE_IN, "", "It was made a message for the silo: " },
    { "converted", STORE_QUEUE_OUT, "", "It was made a mail: " },
    { "posted", -1, "", "It was delivered: " },
    { "delivered", -1, "", "It was delivered: " },
    { "deferred", -1, "", "Delivery did not succeed, and is tried again: " },
    { "failed", -1, "", "Delivery has failed for good: " },
    { "parked", -1, "", "It was set aside for an administrator: " },
    { "limited", -1, "", "It has to wait, being " },
    { "told", -1, "its author", "A notice was sent to " },
    { "contradicted", -1, "", "A contradiction was found in it: " },
    { "forwarded", -1, "", "It is " },
    { "addressed", -1, "", "It goes " },
    { "invited", -1, "", "It says that " },
    { "words", -1, "", "It was spoken " },
    { "warned", -1, "", "As it took long, " },
};

static const struct lead *find_lead(enum store_queue queue, const char *event, const char *detail)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (strcmp(leads[i].event, event) == 0 && (leads[i].queue < 0 || leads[i].queue == (int)queue) &&
            strncmp(leads[i].begins, detail, strlen(leads[i].begins)) == 0)
            return &leads[i];
    return NULL;
}

/* What others have said may end as it likes. */
static void end_sentence(struct strbuf *out)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '.';
    if (last != '.' && last != '!' && last != '?')
        strbuf_add_char(out, '.');
}

void why_words_add_event(enum store_queue queue, int64_t at, const char *event, const char *detail, struct strbuf *out)
{
    const struct lead *lead = find_lead(queue, event, detail);
    add_time(at, out);
    strbuf_add_str(out, ": ");
    if (lead)
        strbuf_add_str(out, lead->lead);
    else
        strbuf_add_fmt(out, "%s: ", event);
    strbuf_add_str(out, detail);
    end_sentence(out);
}

/* --- what was refused --- */

static void add_mail(const struct store_refusal *refusal, struct strbuf *out)
{
    bool has_author = refusal->author[0];
    strbuf_add_str(out, refusal->sender[0] || has_author ? "mail from " : "mail");
    strbuf_add_str(out, has_author ? refusal->author : refusal->sender);
    if (has_author && strcmp(refusal->author, refusal->sender) != 0)
        strbuf_add_fmt(out, " (envelope sender %s)", refusal->sender);
    if (refusal->recipient[0])
        strbuf_add_fmt(out, " to %s", refusal->recipient);
    if (refusal->message_id[0])
        strbuf_add_fmt(out, ", Message-ID <%s>,", refusal->message_id);
    if (refusal->size > 0)
        strbuf_add_fmt(out, " of %" PRId64 " octets", refusal->size);
}

static void add_connection(const struct store_refusal *refusal, struct strbuf *out)
{
    strbuf_add_fmt(out, "a connection %s was turned away", refusal->via);
}

static void add_command(const struct store_refusal *refusal, struct strbuf *out)
{
    strbuf_add_str(out, "a command was refused");
    if (refusal->sender[0] || refusal->recipient[0]) {
        strbuf_add_str(out, ", of ");
        add_mail(refusal, out);
    }
    strbuf_add_str(out, ",");
}

static void add_recipient(const struct store_refusal *refusal, struct strbuf *out)
{
    add_mail(refusal, out);
    strbuf_add_fmt(out, " was %s before its content came", refusal->code < 500 ? "put off" : "refused");
}

static void add_content(const struct store_refusal *refusal, struct strbuf *out)
{
    strbuf_add_str(out, "the content of ");
    add_mail(refusal, out);
    strbuf_add_fmt(out, " was %s", refusal->code < 500 ? "put off" : "refused");
}

static void add_message(const struct store_refusal *refusal, struct strbuf *out)
{
    add_mail(refusal, out);
    strbuf_add_fmt(out, " was %s when all of it had come", refusal->code < 500 ? "put off" : "refused");
}

static void add_question(const struct store_refusal *refusal, struct strbuf *out)
{
    strbuf_add_str(out, "Postfix has asked about ");
    add_mail(refusal, out);
    strbuf_add_fmt(out, "%s%s, and was told to %s it", refusal->client[0] ? ", whose client was " : "", refusal->client,
                   refusal->code < 500 ? "put off" : "refuse");
}

static const struct place {
    const char *name;
    void (*add)(const struct store_refusal *refusal, struct strbuf *out);
} places[] = {
    { "connection", add_connection }, { "command", add_command }, { "recipient", add_recipient },
    { "content", add_content },       { "message", add_message }, { "postfix", add_question },
};

static void add_what(const struct store_refusal *refusal, struct strbuf *out)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(places[i].name, refusal->place) != 0)
            continue;
        places[i].add(refusal, out);
        return;
    }
    add_message(refusal, out);
}

/* The code stands before the text in the reply. */
static bool says_more(const struct store_refusal *refusal)
{
    return refusal->reason[0] && !strstr(refusal->reply, refusal->reason);
}

void why_words_add_refusal(const struct store_refusal *refusal, struct strbuf *out)
{
    add_time(refusal->at, out);
    strbuf_add_str(out, ": ");
    add_what(refusal, out);
    strbuf_add_fmt(out, " with \"%s\".", refusal->reply);
    if (says_more(refusal)) {
        strbuf_add_fmt(out, " Why: %s", refusal->reason);
        end_sentence(out);
    }
    if (refusal->proof[0]) {
        strbuf_add_fmt(out, " What is known of who wrote it: %s", refusal->proof);
        end_sentence(out);
    }
    if (refusal->via[0] && strcmp(refusal->place, "connection") != 0)
        strbuf_add_fmt(out, " It came %s.", refusal->via);
    if (refusal->inbound_id)
        strbuf_add_fmt(out, " For other recipients it was accepted as in%" PRId64 ".", refusal->inbound_id);
    if (refusal->code >= 400 && refusal->code < 500)
        strbuf_add_str(out, " Its sender's server is asked to try again.");
    if (refusal->count > 1) {
        strbuf_add_fmt(out, " This has happened %" PRId64 " times since ", refusal->count);
        add_time(refusal->first_at, out);
        strbuf_add_char(out, '.');
    }
}
