/* fake_relay.c - see fake_relay.h */
#include "tests/dialogue/fake_relay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"

enum { LINE_MAX_SIZE = 4096, CONTENT_MAX = 1 << 20, WHERE_COUNT = 6, RECIPIENT_RULES_MAX = 16 };

enum where { GREETING, EHLO, MAIL, RCPT, DATA, FINAL };
static const char *const where_names[WHERE_COUNT] = { "GREETING", "EHLO", "MAIL", "RCPT", "DATA", "FINAL" };
static const char *const defaults[WHERE_COUNT] = {
    "220 relay.test", NULL, "250 2.1.0 ok", "250 2.1.5 ok", "354 go on", "250 2.0.0 taken",
};

struct session {
    struct fake_relay *relay;
    struct session *next;
    struct stream *stream;
    struct timer *timer; /* until it answers */
    int64_t answers_at;  /* monotonic; 0: nobody waits */
    enum where where;    /* that the answer is to */
    char recipient[LINE_MAX_SIZE];
    bool in_content;
    struct strbuf sender, recipients, content;
};

struct fake_relay {
    struct loop *loop;
    char *address;
    struct loop_listener *listener;
    struct session *sessions;
    char *keywords;
    char *replies[WHERE_COUNT];
    int64_t slow_ms[WHERE_COUNT];
    struct {
        char *recipient, *reply;
    } rules[RECIPIENT_RULES_MAX];
    size_t rule_count;
    unsigned connections, attempts;
    struct fake_mail *mails;
    size_t mail_count, taken;
};

static void session_free(struct session *session)
{
    struct session **link = &session->relay->sessions;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    stream_free(&session->stream);
    timer_free(&session->timer);
    strbuf_free(&session->sender);
    strbuf_free(&session->recipients);
    strbuf_free(&session->content);
    free(session);
}

static const char *reply_of(const struct session *session)
{
    const struct fake_relay *relay = session->relay;
    for (size_t i = 0; session->where == RCPT && i < relay->rule_count; i++)
        if (strcasestr(session->recipient, relay->rules[i].recipient))
            return relay->rules[i].reply;
    return relay->replies[session->where] ? relay->replies[session->where] : defaults[session->where];
}

static void keep_mail(struct session *session)
{
    struct fake_relay *relay = session->relay;
    relay->mails = xreallocarray(relay->mails, relay->mail_count + 1, sizeof *relay->mails);
    relay->mails[relay->mail_count++] = (struct fake_mail){
        .sender = xstrdup(session->sender.data),
        .recipients = xstrdup(session->recipients.data),
        .content = xstrdup(session->content.data),
    };
}

static void say(struct session *session, const char *line)
{
    stream_write(session->stream, line, strlen(line));
    stream_write(session->stream, "\r\n", 2);
}

static void say_ehlo(struct session *session)
{
    char *keywords = xstrdup(session->relay->keywords), *rest = keywords, *word;
    say(session, "250-relay.test");
    while ((word = strsep(&rest, " "))) {
        char line[LINE_MAX_SIZE] = "250-";
        memcpy(line + 4, word, strlen(word) + 1);
        say(session, line);
    }
    free(keywords);
    say(session, "250 ENHANCEDSTATUSCODES");
}

/* What the conversation is after this answer. A mail is kept also if the answer to its end is lost. */
static void answer(struct session *session)
{
    const char *reply = reply_of(session);
    bool is_cut = reply && strcmp(reply, "cut") == 0, is_good = !reply || strchr("23", reply[0]);
    if (session->where == RCPT && is_good)
        strbuf_add_fmt(&session->recipients, "%s%s", session->recipients.len ? " " : "", session->recipient);
    if (session->where == FINAL && (is_good || is_cut))
        keep_mail(session);
    session->in_content = session->where == DATA && is_good;
    if (is_cut)
        session_free(session);
    else if (reply)
        say(session, reply);
    else
        say_ehlo(session);
}

static void on_timer(void *arg)
{
    struct session *session = arg;
    session->answers_at = 0;
    answer(session);
}

static void answer_to(struct session *session, enum where where)
{
    int64_t ms = session->relay->slow_ms[where];
    session->where = where;
    if (ms == 0) {
        answer(session);
        return;
    }
    session->answers_at = clock_monotonic_ms(loop_clock(session->relay->loop)) + ms;
    timer_start(session->timer, ms);
}

static void take_command(struct session *session, const char *line)
{
    if (strncasecmp(line, "EHLO", 4) == 0) {
        answer_to(session, EHLO);
    } else if (strncasecmp(line, "MAIL FROM:", 10) == 0) {
        session->relay->attempts++;
        strbuf_clear(&session->sender);
        strbuf_clear(&session->recipients);
        strbuf_clear(&session->content);
        strbuf_add_str(&session->sender, line + 10);
        answer_to(session, MAIL);
    } else if (strncasecmp(line, "RCPT TO:", 8) == 0) {
        memcpy(session->recipient, line + 8, strlen(line + 8) + 1);
        answer_to(session, RCPT);
    } else if (strcasecmp(line, "DATA") == 0) {
        answer_to(session, DATA);
    } else if (strcasecmp(line, "RSET") == 0) {
        say(session, "250 2.0.0 ok");
    } else if (strcasecmp(line, "QUIT") == 0) {
        session_free(session);
    } else {
        say(session, "502 5.5.1 what?");
    }
}

/* false: the session may be gone, or has something to think about. */
static bool take_line(struct session *session, const char *line, size_t len)
{
    char text[LINE_MAX_SIZE];
    assert(len < sizeof text);
    memcpy(text, line, len);
    text[len] = 0;
    if (!session->in_content) {
        take_command(session, text);
        return false;
    }
    if (strcmp(text, ".") == 0) {
        session->in_content = false;
        answer_to(session, FINAL);
        return false;
    }
    strbuf_add_fmt(&session->content, "%s\r\n", text);
    return true;
}

/* One command at a time: it offers no PIPELINING. */
static void on_input(struct stream *stream, void *ctx)
{
    const char *line;
    size_t len;
    while (stream_read_line(stream, LINE_MAX_SIZE - 1, false, &line, &len, NULL) == 1)
        if (!take_line(ctx, line, len))
            return;
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream, (void)why, (void)detail;
    session_free(ctx);
}

static const struct stream_callbacks callbacks = { .on_input = on_input, .on_end = on_end };

static void on_accept(int fd, const char *peer, void *arg)
{
    struct fake_relay *relay = arg;
    (void)peer;
    struct session *session = xcalloc(1, sizeof *session);
    session->relay = relay;
    session->next = relay->sessions;
    relay->sessions = session;
    strbuf_init(&session->sender, LINE_MAX_SIZE);
    strbuf_init(&session->recipients, CONTENT_MAX);
    strbuf_init(&session->content, CONTENT_MAX);
    session->timer = timer_new(relay->loop, on_timer, session);
    struct stream_settings settings = { .callbacks = &callbacks, .ctx = session };
    session->stream = stream_new_accepted(relay->loop, &settings, fd, NULL);
    relay->connections++;
    answer_to(session, GREETING);
}

struct fake_relay *fake_relay_new(struct loop *loop, const char *address)
{
    struct fake_relay *relay = xcalloc(1, sizeof *relay);
    relay->loop = loop;
    relay->address = xstrdup(address);
    relay->keywords = xstrdup("8BITMIME SMTPUTF8");
    return relay;
}

void fake_relay_free(struct fake_relay **relay_in)
{
    struct fake_relay *relay = *relay_in;
    if (!relay)
        return;
    fake_relay_listen(relay, false);
    for (size_t i = 0; i < WHERE_COUNT; i++)
        free(relay->replies[i]);
    for (size_t i = 0; i < relay->rule_count; i++) {
        free(relay->rules[i].recipient);
        free(relay->rules[i].reply);
    }
    for (size_t i = 0; i < relay->mail_count; i++) {
        free(relay->mails[i].sender);
        free(relay->mails[i].recipients);
        free(relay->mails[i].content);
    }
    free(relay->mails);
    free(relay->keywords);
    free(relay->address);
    free(relay);
    *relay_in = NULL;
}

void fake_relay_listen(struct fake_relay *relay, bool listens)
{
    const char *error = NULL;
    loop_listener_free(&relay->listener);
    if (listens) {
        relay->listener = loop_listener_new(relay->loop, relay->address, on_accept, relay, &error);
        assert(relay->listener);
        return;
    }
    for (struct session *session = relay->sessions, *next; session; session = next) {
        next = session->next;
        session_free(session);
    }
}

void fake_relay_offer(struct fake_relay *relay, const char *keywords)
{
    free(relay->keywords);
    relay->keywords = xstrdup(keywords);
}

static int find_where(const char *name)
{
    int where = WHERE_COUNT - 1;
    while (where >= 0 && strcmp(where_names[where], name) != 0)
        where--;
    return where;
}

static bool answer_recipient(struct fake_relay *relay, const char *recipient, const char *reply)
{
    size_t i = 0;
    while (i < relay->rule_count && strcmp(relay->rules[i].recipient, recipient) != 0)
        i++;
    if (i == relay->rule_count) {
        if (i == RECIPIENT_RULES_MAX)
            return false;
        relay->rules[relay->rule_count++].recipient = xstrdup(recipient);
    }
    free(relay->rules[i].reply);
    relay->rules[i].reply = xstrdup(strcmp(reply, "default") == 0 ? defaults[RCPT] : reply);
    return true;
}

bool fake_relay_answer(struct fake_relay *relay, const char *where, const char *reply)
{
    if (strncmp(where, "RCPT:", 5) == 0)
        return answer_recipient(relay, where + 5, reply);
    int index = find_where(where);
    if (index < 0)
        return false;
    free(relay->replies[index]);
    relay->replies[index] = strcmp(reply, "default") == 0 ? NULL : xstrdup(reply);
    return true;
}

bool fake_relay_slow(struct fake_relay *relay, const char *where, int64_t ms)
{
    int index = find_where(where);
    if (index < 0)
        return false;
    relay->slow_ms[index] = ms;
    return true;
}

int64_t fake_relay_answers_in(const struct fake_relay *relay)
{
    int64_t soonest = -1, now = clock_monotonic_ms(loop_clock(relay->loop));
    for (const struct session *session = relay->sessions; session; session = session->next)
        if (session->answers_at && (soonest < 0 || session->answers_at - now < soonest))
            soonest = session->answers_at - now;
    return soonest;
}

unsigned fake_relay_connections(const struct fake_relay *relay)
{
    return relay->connections;
}

unsigned fake_relay_attempts(const struct fake_relay *relay)
{
    return relay->attempts;
}

unsigned fake_relay_open_now(const struct fake_relay *relay)
{
    unsigned count = 0;
    for (const struct session *session = relay->sessions; session; session = session->next)
        count++;
    return count;
}

const struct fake_mail *fake_relay_take(struct fake_relay *relay)
{
    return relay->taken < relay->mail_count ? &relay->mails[relay->taken++] : NULL;
}
