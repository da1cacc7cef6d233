/* smtp_server_dialogue.c - plays the scripts in tests/dialogue/smtp_server/ against the SMTP and LMTP server
 *
 * A script plays the clients, the owner and the clock. Each is played twice: with consecutive client lines in one
 * packet, and with every byte in a packet of its own; nothing but the timing may differ. Lines ('#': a comment):
 *
 *   set NAME VALUE     a member of struct smtp_listener_settings (see the table `knobs`), before the first connection,
 *                      or with the next `reload`; `set budget N`: the memory of all sessions; `set guesses N`: free ones
 *   reload             what was set since the first connection takes effect
 *   no on_mail         the owner leaves this callback out
 *   whole packets      not to be played byte by byte
 *   connect [PEER]     a new connection, which becomes the current one (they are numbered from 1)
 *   hello [PEER]       the same, with greeting and EHLO or LHLO exchanged
 *   use N              makes connection N the current one
 *   C: TEXT            the client sends a line; \r \n \0 \t \\ \xHH stand for what they do in C
 *   c: TEXT            the client sends these bytes, and no line end
 *   repeat N TEXT      the client sends a line N times
 *   S: TEXT            the server's next line is this; '*' at the end stands for any rest
 *   until TEXT         skips the server's lines up to this one
 *   replies N TEXT     the server's next N lines are this
 *   quiet              the server has sent nothing more
 *   closed             the server has sent nothing more, and closed the connection
 *   cut                the client closes the connection
 *   will KIND REPLY    how the owner answers its next question of this kind (mail, rcpt, message), from inside the
 *                      callback: CODE ENHANCED TEXT (5.1.1, 5.7.26: a guess), several separated by " | ", or "later". Else 250
 *   answer REPLY       the owner answers its oldest open question
 *   O: TEXT            the owner's next event (see the on_... functions); '*' as above
 *   no events          the owner has heard nothing else
 *   content: TEXT      of the last message
 *   wait MS            time passes
 *   busy on|off, drain MS, drained yes|no, sessions N, free     what they say, of the listener
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_guessing.h"
#include "smtp/smtp_listener_internal.h"
#include "tests/dialogue/script_text.h"
#include "tests/dialogue/smtp_message.h"

#define SCRIPTS POSTERN_SOURCE_DIR "/tests/dialogue/smtp_server"

enum {
    LINE_SIZE = 4096,
    CLIENTS_MAX = 8,
    QUESTIONS_MAX = 8,
    ANSWERS_MAX = 16,
    REPLIES_MAX = 8,
    NETWORKS_MAX = 8,
    SCRIPTS_MAX = 400,
    TURNS = 12,         /* enough for everything that follows from one packet */
    TEXT_MAX = 1 << 22, /* the budget, too */
};

enum { LISTS = 5 };
static const char *const list_names[LISTS] = { "clients", "exempt", "proxies", "xclients", "xforwards" };

enum kind { KIND_MAIL, KIND_RCPT, KIND_MESSAGE, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = { "mail", "rcpt", "message" };

struct client {
    struct stream *stream; /* NULL once cut or closed */
    bool was_closed;       /* by the server */
    struct strbuf received;
    size_t matched; /* bytes of it */
};

struct question {
    struct smtp_transaction *transaction;
    enum kind kind;
    size_t index;
};

struct replies {
    bool is_later;
    struct smtp_reply reply[REPLIES_MAX];
    size_t count;
};

struct play {
    const char *file;
    int line;
    bool is_bytewise;
    struct clock *clock;
    struct loop *loop;
    struct smtp_listener_settings settings;
    struct smtp_server_callbacks callbacks;
    char *networks[LISTS][NETWORKS_MAX + 1]; /* of the settings, see list_names */
    struct smtp_budget *budget;
    struct smtp_guessing *guessing;
    char hostname[64], spool_dir[64];
    struct smtp_listener *listener;
    struct client clients[CLIENTS_MAX];
    size_t client_count;
    struct client *client;
    struct strbuf packet; /* what the client is about to send */
    struct replies answers[KIND_COUNT][ANSWERS_MAX];
    size_t answer_count[KIND_COUNT], answer_next[KIND_COUNT];
    struct question questions[QUESTIONS_MAX];
    size_t question_count;
    struct strbuf events; /* one per line */
    size_t events_matched;
    struct strbuf content;  /* as it came */
    struct strbuf received; /* the field that stands before it, in one line */
    unsigned alive;         /* transactions the owner has heard of, and not of their end */
    bool is_drained;
};

#define FAIL(play, ...)                                                                                                \
    do {                                                                                                               \
        print_error("%s:%d (%s): ", (play)->file, (play)->line, (play)->is_bytewise ? "bytewise" : "whole packets");   \
        print_error(__VA_ARGS__);                                                                                      \
        print_error("\n");                                                                                             \
        fail();                                                                                                        \
    } while (0)

/* --- the owner --- */

static __attribute__((format(printf, 2, 3))) void note(struct play *play, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    strbuf_add_vfmt(&play->events, fmt, args);
    va_end(args);
    strbuf_add_char(&play->events, '\n');
}

/* What the owner keeps with each transaction: it must come back, and go, whatever happens. */
static void remember(struct play *play, struct smtp_transaction *transaction)
{
    if (smtp_transaction_data(transaction))
        return;
    smtp_transaction_set_data(transaction, xstrdup(smtp_transaction_session(transaction)->session_id));
    play->alive++;
}

static void forget(struct play *play, struct smtp_transaction *transaction)
{
    char *id = smtp_transaction_data(transaction);
    if (!id)
        return;
    assert_string_equal(id, smtp_transaction_session(transaction)->session_id);
    free(id);
    smtp_transaction_set_data(transaction, NULL);
    play->alive--;
}

static void give_answer(struct play *play, const struct question *question, const struct replies *replies)
{
    if (strcmp(replies->reply[0].enhanced, "5.1.1") == 0 || strcmp(replies->reply[0].enhanced, "5.7.26") == 0)
        smtp_transaction_note_guess(question->transaction);
    switch (question->kind) {
    case KIND_MAIL:
        smtp_transaction_answer_mail(question->transaction, &replies->reply[0]);
        break;
    case KIND_RCPT:
        smtp_transaction_answer_recipient(question->transaction, question->index, &replies->reply[0]);
        break;
    case KIND_MESSAGE:
        forget(play, question->transaction);
        smtp_transaction_answer_message(question->transaction, replies->reply, replies->count);
        break;
    case KIND_COUNT:
        break;
    }
}

static void take_question(struct play *play, enum kind kind, struct smtp_transaction *transaction, size_t index)
{
    remember(play, transaction);
    struct question question = { transaction, kind, index };
    struct replies yes = { .reply = { smtp_reply_make(250, kind == KIND_MAIL ? "2.1.0" : "2.1.5", "Ok") }, .count = 1 };
    if (kind == KIND_MESSAGE)
        yes.reply[0] = smtp_reply_make(250, "2.6.0", "Taken");
    const struct replies *replies = &yes;
    if (play->answer_next[kind] < play->answer_count[kind])
        replies = &play->answers[kind][play->answer_next[kind]++];
    if (!replies->is_later) {
        give_answer(play, &question, replies);
        return;
    }
    assert_true(play->question_count < QUESTIONS_MAX);
    play->questions[play->question_count++] = question;
}

static void on_mail(struct smtp_transaction *transaction, void *ctx)
{
    struct play *play = ctx;
    char sender[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(smtp_transaction_sender(transaction), sender);
    assert_int_equal(smtp_transaction_recipient_count(transaction), 0);
    assert_null(smtp_transaction_content(transaction));
    static const char *const bodies[] = { "", " 8bit", " binary" };
    static const char *const rets[] = { "", " ret=full", " ret=hdrs" };
    const char *envid = smtp_transaction_envid(transaction);
    note(play, "mail <%s> size=%lld%s%s%s%s%s", sender, (long long)smtp_transaction_declared_size(transaction),
         bodies[smtp_transaction_body(transaction)], smtp_transaction_is_smtputf8(transaction) ? " utf8" : "",
         rets[smtp_transaction_ret(transaction)], *envid ? " envid=" : "", envid);
    take_question(play, KIND_MAIL, transaction, 0);
}

static void on_recipient(struct smtp_transaction *transaction, size_t index, void *ctx)
{
    struct play *play = ctx;
    char recipient[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(smtp_transaction_recipient(transaction, index), recipient);
    assert_int_equal(index, smtp_transaction_recipient_count(transaction));
    struct strbuf wishes;
    strbuf_init(&wishes, LINE_SIZE);
    smtp_message_describe_wishes(transaction, index, &wishes);
    note(play, "rcpt %zu <%s>%s", index, recipient, wishes.len ? wishes.data : "");
    strbuf_free(&wishes);
    take_question(play, KIND_RCPT, transaction, index);
}

static void on_message(struct smtp_transaction *transaction, void *ctx)
{
    struct play *play = ctx;
    const struct smtp_session_facts *facts = smtp_transaction_session(transaction);
    struct strbuf to;
    strbuf_init(&to, TEXT_MAX);
    for (size_t i = 0; i < smtp_transaction_recipient_count(transaction); i++) {
        char recipient[SMTP_ADDRESS_MAX + 2];
        smtp_address_format(smtp_transaction_recipient(transaction, i), recipient);
        strbuf_add_fmt(&to, "%s<%s>", i ? "," : "", recipient);
        smtp_message_describe_wishes(transaction, i, &to);
    }
    smtp_message_read(transaction, &play->content, &play->received);
    struct spool *content = smtp_transaction_take_content(transaction);
    assert_null(smtp_transaction_content(transaction));
    spool_free(&content);
    note(play, "message to=%s size=%zu %s helo=%s peer=%s listener=%s", to.data, play->content.len, facts->protocol,
         facts->helo, facts->peer_address, facts->listener);
    if (strcmp(facts->peer, facts->client) != 0)
        note(play, "client=%s", facts->client);
    else
        assert_string_equal(facts->peer_address, facts->client_address);
    strbuf_free(&to);
    assert_int_equal(smtp_transaction_is_lmtp(transaction), play->settings.lmtp);
    assert_null(facts->tls_version);
    take_question(play, KIND_MESSAGE, transaction, 0);
}

static void on_abandoned(struct smtp_transaction *transaction, void *ctx)
{
    struct play *play = ctx;
    for (size_t i = 0; i < play->question_count; i++)
        assert_ptr_not_equal(play->questions[i].transaction, transaction);
    forget(play, transaction);
    note(play, "abandoned");
}

static void on_drained(void *arg)
{
    struct play *play = arg;
    assert_false(play->is_drained);
    play->is_drained = true;
}

/* --- the clients --- */

static void client_on_input(struct stream *stream, void *ctx)
{
    struct client *client = ctx;
    const uint8_t *data;
    size_t len;
    while ((len = stream_peek(stream, &data)) > 0) {
        strbuf_add(&client->received, data, len);
        stream_consume(stream, len);
    }
}

static void client_on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream, (void)why, (void)detail;
    struct client *client = ctx;
    client->was_closed = true;
    stream_free(&client->stream);
}

static const struct stream_callbacks client_callbacks = { .on_input = client_on_input, .on_end = client_on_end };

static void turn(struct play *play, int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(play->loop);
}

/* Delivers what the client lines so far have said. */
static void send_packet(struct play *play)
{
    size_t step = play->is_bytewise ? 1 : play->packet.len;
    for (size_t at = 0; at < play->packet.len && play->client->stream; at += step) {
        stream_write(play->client->stream, play->packet.data + at, step);
        turn(play, 3);
    }
    int more = (int)(play->packet.len / 4096); /* of a large one a turn takes what there is room for */
    strbuf_clear(&play->packet);
    turn(play, TURNS + more);
}

static void add_unescaped(struct play *play, struct strbuf *out, const char *text)
{
    if (!script_unescape(text, out))
        FAIL(play, "bad escape: %s", text);
}

/* --- the lines of a script --- */

static void take_networks(struct play *play)
{
    const char *const **settings[LISTS] = { &play->settings.clients, &play->settings.exempt, &play->settings.proxies,
                                            &play->settings.xclients, &play->settings.xforwards };
    for (size_t i = 0; i < LISTS; i++)
        *settings[i] = play->networks[i][0] ? (const char *const *)play->networks[i] : NULL;
}

static void need_listener(struct play *play)
{
    if (play->listener)
        return;
    char *error = NULL;
    take_networks(play);
    play->listener = smtp_listener_new(&play->settings, &error);
    if (!play->listener)
        FAIL(play, "no listener: %s", error);
}

static void do_connect(struct play *play, const char *peer)
{
    need_listener(play);
    assert_true(play->client_count < CLIENTS_MAX);
    play->client = &play->clients[play->client_count++];
    strbuf_init(&play->client->received, TEXT_MAX);
    struct stream_settings settings = { .callbacks = &client_callbacks, .ctx = play->client };
    smtp_listener_adopt_pair(play->listener, *peer ? peer : "192.0.2.1:4711", &settings, &play->client->stream);
}

static void do_expect(struct play *play, const char *pattern)
{
    struct client *client = play->client;
    size_t len;
    const char *line = script_next_line(&client->received, "\r\n", &client->matched, &len);
    if (!line)
        FAIL(play, "expected \"%s\", nothing came", pattern);
    else if (!script_matches(pattern, strlen(pattern), line, len))
        FAIL(play, "expected \"%s\", got \"%.*s\"", pattern, (int)len, line);
}

static void do_expect_many(struct play *play, const char *argument)
{
    char *pattern;
    unsigned long count = strtoul(argument, &pattern, 10);
    for (unsigned long i = 0; i < count; i++)
        do_expect(play, pattern + 1);
}

static void do_until(struct play *play, const char *pattern)
{
    struct client *client = play->client;
    size_t len;
    const char *line;
    do
        line = script_next_line(&client->received, "\r\n", &client->matched, &len);
    while (line && !script_matches(pattern, strlen(pattern), line, len));
    if (!line)
        FAIL(play, "\"%s\" did not come", pattern);
}

static void do_hello(struct play *play, const char *peer)
{
    do_connect(play, peer);
    turn(play, TURNS);
    do_expect(play, "220 *");
    strbuf_add_str(&play->packet, play->settings.lmtp ? "LHLO client.example\r\n" : "EHLO client.example\r\n");
    send_packet(play);
    do_until(play, "250 *");
}

static void do_use(struct play *play, const char *number)
{
    size_t n = strtoul(number, NULL, 10);
    assert_in_range(n, 1, play->client_count);
    play->client = &play->clients[n - 1];
}

static void do_send_line(struct play *play, const char *text)
{
    add_unescaped(play, &play->packet, text);
    strbuf_add_str(&play->packet, "\r\n");
}

static void do_send(struct play *play, const char *text)
{
    add_unescaped(play, &play->packet, text);
}

static void do_repeat(struct play *play, const char *argument)
{
    char *text;
    unsigned long count = strtoul(argument, &text, 10);
    text += *text == ' ';
    send_packet(play);
    bool is_bytewise = play->is_bytewise;
    play->is_bytewise = false; /* too much for single bytes */
    for (unsigned long i = 0; i < count; i++)
        do_send_line(play, text);
    send_packet(play);
    play->is_bytewise = is_bytewise;
}

static void do_quiet(struct play *play, const char *argument)
{
    (void)argument;
    if (play->client->received.len != play->client->matched)
        FAIL(play, "not quiet: \"%s\"", play->client->received.data + play->client->matched);
    if (play->client->was_closed)
        FAIL(play, "quiet, but closed");
}

static void do_closed(struct play *play, const char *argument)
{
    (void)argument;
    if (play->client->received.len != play->client->matched)
        FAIL(play, "not quiet: \"%s\"", play->client->received.data + play->client->matched);
    if (!play->client->was_closed)
        FAIL(play, "not closed");
}

static void do_cut(struct play *play, const char *argument)
{
    (void)argument;
    stream_free(&play->client->stream);
}

static struct replies read_replies(struct play *play, const char *text)
{
    struct replies replies = { .is_later = strcmp(text, "later") == 0 };
    while (!replies.is_later && text) {
        int code;
        char enhanced[SMTP_ENHANCED_MAX];
        char words[SMTP_REPLY_TEXT_MAX + 1];
        if (sscanf(text, "%d %11s %400[^|\n]", &code, enhanced, words) != 3 || replies.count == REPLIES_MAX)
            FAIL(play, "not a reply: %s", text);
        size_t len = strlen(words);
        if (len > 0 && words[len - 1] == ' ')
            words[len - 1] = '\0';
        replies.reply[replies.count++] = smtp_reply_make(code, enhanced, "%s", words);
        text = strchr(text, '|');
        text = text ? text + 1 : NULL;
    }
    return replies;
}

static void do_will(struct play *play, const char *argument)
{
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        size_t len = strlen(kind_names[kind]);
        if (strncmp(argument, kind_names[kind], len) != 0 || argument[len] != ' ')
            continue;
        assert_true(play->answer_count[kind] < ANSWERS_MAX);
        play->answers[kind][play->answer_count[kind]++] = read_replies(play, argument + len + 1);
        return;
    }
    FAIL(play, "no such question: %s", argument);
}

static void do_answer(struct play *play, const char *argument)
{
    if (play->question_count == 0)
        FAIL(play, "no question is open");
    struct question question = play->questions[0];
    play->question_count--;
    memmove(play->questions, play->questions + 1, play->question_count * sizeof question);
    struct replies replies = read_replies(play, argument);
    give_answer(play, &question, &replies);
}

static void do_event(struct play *play, const char *pattern)
{
    size_t len;
    const char *event = script_next_line(&play->events, "\n", &play->events_matched, &len);
    if (!event)
        FAIL(play, "expected \"%s\", nothing happened", pattern);
    else if (!script_matches(pattern, strlen(pattern), event, len))
        FAIL(play, "expected \"%s\", it was \"%.*s\"", pattern, (int)len, event);
}

static void do_content(struct play *play, const char *text)
{
    struct strbuf expected;
    strbuf_init(&expected, LINE_SIZE);
    add_unescaped(play, &expected, text);
    bool is_equal = expected.len == play->content.len && memcmp(expected.data, play->content.data, expected.len) == 0;
    strbuf_free(&expected);
    if (!is_equal)
        FAIL(play, "content is \"%s\"", play->content.data);
}

static void do_received(struct play *play, const char *pattern)
{
    if (!script_matches(pattern, strlen(pattern), play->received.data, play->received.len))
        FAIL(play, "expected \"%s\", it was \"%s\"", pattern, play->received.data);
}

static void do_wait(struct play *play, const char *argument)
{
    clock_advance(play->clock, strtol(argument, NULL, 10));
}

static void do_busy(struct play *play, const char *argument)
{
    need_listener(play);
    smtp_listener_set_busy(play->listener, strcmp(argument, "on") == 0);
}

static void do_drain(struct play *play, const char *argument)
{
    need_listener(play);
    smtp_listener_drain(play->listener, strtol(argument, NULL, 10), on_drained, play);
}

static void do_drained(struct play *play, const char *argument)
{
    if (play->is_drained != (strcmp(argument, "yes") == 0))
        FAIL(play, "drained: %d", play->is_drained);
}

static void do_sessions(struct play *play, const char *argument)
{
    if (smtp_listener_sessions(play->listener) != strtoul(argument, NULL, 10))
        FAIL(play, "there are %u sessions", smtp_listener_sessions(play->listener));
}

static void do_free(struct play *play, const char *argument)
{
    (void)argument;
    smtp_listener_free(&play->listener);
}

static void do_no(struct play *play, const char *argument)
{
    if (strcmp(argument, "events") == 0) {
        if (play->events_matched != play->events.len)
            FAIL(play, "it happened: %s", play->events.data + play->events_matched);
    } else if (strcmp(argument, "on_mail") == 0) {
        play->callbacks.on_mail = NULL;
    } else {
        FAIL(play, "no %s?", argument);
    }
}

static void do_whole(struct play *play, const char *argument)
{
    (void)argument;
    play->is_bytewise = false;
}

static bool set_networks(struct play *play, const char *name, size_t name_len)
{
    size_t list = 0;
    while (list < LISTS && (strlen(list_names[list]) != name_len || strncmp(name, list_names[list], name_len) != 0))
        list++;
    if (list < LISTS)
        script_split(name + name_len, play->networks[list], NETWORKS_MAX);
    return list < LISTS;
}

static void do_reload(struct play *play, const char *argument)
{
    (void)argument;
    char *error = NULL;
    take_networks(play);
    if (smtp_listener_reconfigure(play->listener, &play->settings, &error) < 0)
        FAIL(play, "not reconfigured: %s", error);
}

static void do_set(struct play *play, const char *argument)
{
    struct smtp_listener_settings *settings = &play->settings;
    const struct {
        const char *name;
        unsigned *number;
        int64_t *big;
        char *text;
    } knobs[] = {
        { "max_sessions", &settings->max_sessions, NULL, NULL },
        { "max_sessions_per_client", &settings->max_sessions_per_client, NULL, NULL },
        { "recipients_max", &settings->recipients_max, NULL, NULL },
        { "errors_max", &settings->errors_max, NULL, NULL },
        { "connections_per_minute", &settings->connections_per_minute, NULL, NULL },
        { "messages_per_minute", &settings->messages_per_minute, NULL, NULL },
        { "recipients_per_minute", &settings->recipients_per_minute, NULL, NULL },
        { "messages_max", &settings->messages_max, NULL, NULL },
        { "junk_commands_max", &settings->junk_commands_max, NULL, NULL },
        { "greet_delay_ms", NULL, &settings->greet_delay_ms, NULL },
        { "message_max", NULL, &settings->message_max, NULL },
        { "spool_max", NULL, &settings->spool_max, NULL },
        { "command_timeout_ms", NULL, &settings->command_timeout_ms, NULL },
        { "data_timeout_ms", NULL, &settings->data_timeout_ms, NULL },
        { "hostname", NULL, NULL, play->hostname },
        { "spool_dir", NULL, NULL, play->spool_dir },
    };
    size_t len = strcspn(argument, " ");
    const char *value = argument + len + (argument[len] == ' ');
    size_t i = 0, count = sizeof knobs / sizeof knobs[0];
    while (i < count && (strlen(knobs[i].name) != len || strncmp(knobs[i].name, argument, len) != 0))
        i++;
    if (strncmp(argument, "budget ", 7) == 0) {
        smtp_budget_set_max(play->budget, strtol(value, NULL, 10));
    } else if (strncmp(argument, "guesses ", 8) == 0) {
        smtp_guessing_set_free(play->guessing, (unsigned)strtoul(value, NULL, 10));
    } else if (strcmp(value, "yes") == 0 || strcmp(value, "require") == 0) {
        settings->lmtp = argument[0] == 'l';
        settings->tls_policy = argument[0] == 't' ? SMTP_TLS_REQUIRE : SMTP_TLS_NONE;
        settings->is_upstream = argument[0] == 'u';
    } else if (i < count && knobs[i].number) {
        *knobs[i].number = (unsigned)strtoul(value, NULL, 10);
    } else if (i < count && knobs[i].big) {
        *knobs[i].big = strtol(value, NULL, 10);
    } else if (i < count) {
        snprintf(knobs[i].text, sizeof play->hostname, "%s", value);
    } else if (!set_networks(play, argument, len)) {
        FAIL(play, "no such setting: %s", argument);
    }
}

static const struct directive {
    const char *name;
    bool is_collected; /* goes out in one packet with the next line of this kind */
    void (*run)(struct play *play, const char *argument);
} directives[] = {
    { "C:", true, do_send_line },
    { "c:", true, do_send },
    { "S:", false, do_expect },
    { "O:", false, do_event },
    { "content:", false, do_content },
    { "received:", false, do_received },
    { "set", false, do_set },
    { "reload", false, do_reload },
    { "connect", false, do_connect },
    { "hello", false, do_hello },
    { "use", false, do_use },
    { "repeat", true, do_repeat },
    { "until", false, do_until },
    { "quiet", false, do_quiet },
    { "replies", false, do_expect_many },
    { "closed", false, do_closed },
    { "cut", false, do_cut },
    { "will", false, do_will },
    { "answer", false, do_answer },
    { "no", false, do_no },
    { "wait", false, do_wait },
    { "busy", false, do_busy },
    { "drain", false, do_drain },
    { "drained", false, do_drained },
    { "sessions", false, do_sessions },
    { "free", false, do_free },
    { "whole", false, do_whole },
};

static void run_line(struct play *play, const char *text)
{
    size_t len = strcspn(text, " ");
    if (len == 0 || text[0] == '#')
        return;
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++) {
        if (strlen(directives[i].name) != len || strncmp(directives[i].name, text, len) != 0)
            continue;
        if (!directives[i].is_collected && play->packet.len > 0)
            send_packet(play);
        directives[i].run(play, text + len + (text[len] == ' '));
        if (!directives[i].is_collected)
            turn(play, TURNS);
        return;
    }
    FAIL(play, "not understood: %s", text);
}

/* Whatever the script left open must end well. */
static void finish(struct play *play)
{
    send_packet(play);
    smtp_listener_free(&play->listener);
    while (play->question_count > 0)
        do_answer(play, "451 4.3.0 The play is over");
    for (size_t i = 0; i < play->client_count; i++) {
        stream_free(&play->clients[i].stream);
        strbuf_free(&play->clients[i].received);
    }
    turn(play, TURNS);
    if (play->alive > 0)
        FAIL(play, "%u transactions have not ended for their owner", play->alive);
    assert_int_equal(smtp_budget_held(play->budget), 0);
    smtp_budget_free(&play->budget);
    struct smtp_guessing_statistics guesses;
    smtp_guessing_get_statistics(play->guessing, &guesses);
    assert_int_equal(guesses.delayed, 0);
    smtp_guessing_free(&play->guessing);
    for (size_t i = 0; i < LISTS; i++)
        script_split("", play->networks[i], NETWORKS_MAX);
    strbuf_free(&play->packet);
    strbuf_free(&play->events);
    strbuf_free(&play->content);
    strbuf_free(&play->received);
    loop_free(&play->loop);
    clock_free(&play->clock);
}

static void run_script(const char *name, bool is_bytewise)
{
    char path[400];
    char text[LINE_SIZE];
    snprintf(path, sizeof path, SCRIPTS "/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct play *play = xcalloc(1, sizeof *play);
    play->file = name;
    play->is_bytewise = is_bytewise;
    play->clock = clock_new_fake(1000, 1700000000000);
    play->loop = loop_new(play->clock);
    play->budget = smtp_budget_new(TEXT_MAX);
    play->guessing = smtp_guessing_new(play->loop, 0);
    play->callbacks = (struct smtp_server_callbacks){ on_mail, on_recipient, on_message, on_abandoned, NULL };
    snprintf(play->hostname, sizeof play->hostname, "gw.example.org");
    snprintf(play->spool_dir, sizeof play->spool_dir, "/tmp");
    play->settings = (struct smtp_listener_settings){
        .loop = play->loop,
        .name = "test",
        .hostname = play->hostname,
        .message_max = 1000000,
        .spool_dir = play->spool_dir,
        .budget = play->budget,
        .guessing = play->guessing,
        .callbacks = &play->callbacks,
        .ctx = play,
    };
    strbuf_init(&play->packet, TEXT_MAX);
    strbuf_init(&play->events, TEXT_MAX);
    strbuf_init(&play->content, TEXT_MAX);
    strbuf_init(&play->received, LINE_SIZE);
    while (fgets(text, sizeof text, file)) {
        play->line++;
        text[strcspn(text, "\n")] = '\0';
        run_line(play, text);
    }
    fclose(file);
    finish(play);
    free(play);
}

static void play_script(void **state)
{
    run_script(*state, false);
    run_script(*state, true);
}

static void swallow(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[SCRIPTS_MAX];
    struct dirent **entries;
    size_t count = 0;
    if (argc > 1)
        log_set_level(LOG_LEVEL_DEBUG); /* one script, with everything to be seen */
    else
        log_set_sink(swallow, NULL);
    int found = scandir(SCRIPTS, &entries, script_is_dialogue, alphasort);
    assert(found > 0 && found <= SCRIPTS_MAX);
    for (int i = 0; i < found; i++) {
        if (argc > 1 && strcmp(argv[1], entries[i]->d_name) != 0)
            continue;
        tests[count++] = (struct CMUnitTest){ entries[i]->d_name, play_script, NULL, NULL, entries[i]->d_name };
    }
    int failed = _cmocka_run_group_tests("smtp_server_dialogue", tests, count, NULL, NULL);
    for (int i = 0; i < found; i++)
        free(entries[i]);
    free(entries);
    return failed;
}
