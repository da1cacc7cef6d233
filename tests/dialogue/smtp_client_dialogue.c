/* smtp_client_dialogue.c - plays the scripts in tests/dialogue/smtp_client/ against the SMTP and LMTP client
 *
 * A script plays the relay, the owner and the clock. Each is played twice: with consecutive relay lines in one packet, and with
 * every byte in a packet of its own; nothing but the timing may differ. Lines ('#' begins a comment):
 *
 *   set NAME VALUE     a member of struct smtp_client_settings (see do_set()), escapes as below, before the first `send`
 *   tcp                the relay listens on TCP, not on a unix socket; likewise
 *   whole packets      not to be played byte by byte
 *   from ADDRESS       of the next message; "from" alone is the null path
 *   to ADDRESS ...     its recipients
 *   notify N WORD ...  what recipient N's NOTIFY asks for: success, failure, delay, never; and ORCPT with the address
 *   envid, ret TEXT    its ENVID and RET ("full", "hdrs")
 *   prefix: TEXT       header fields in front of its content, escapes as in content
 *   content: TEXT      its content; \r \n \0 \xHH stand for what they do in C. Default: one short message
 *   pattern N          its content: N octets of lines
 *   announce N         its content_size, if not the true one
 *   8bit, utf8, probe  its properties
 *   send               the owner sends it
 *   when done send|free  what the owner does from inside the next report
 *   accept             the client has connected; this becomes the current connection
 *   no connection      it has not
 *   network down|up    whether the relay listens
 *   S: TEXT            the relay sends a line
 *   s: TEXT            the relay sends these bytes, escapes as above
 *   repeat N TEXT      the relay sends a line N times
 *   C: TEXT            the client's next line is this; '*' at the end stands for any rest
 *   quiet              the client has sent nothing more
 *   C-pattern N [M]    the client has sent `pattern N`, or N octets of it from the Mth
 *   scram ITERATIONS PASSWORD  the relay does SCRAM with this password
 *   C-scram TEXT       the client's next line is this and a SCRAM message, which the relay takes
 *   S-scram            the relay says "334" and what it answers
 *   lying              the client has shown that it does not know the password
 *   closed             the client has sent nothing more, and closed the connection
 *   cut                the relay closes the connection
 *   parting TEXT       the relay sends a line and closes the connection, before the client sees either
 *   tls TEXT           the relay sends a line and starts TLS
 *   reading off|on     the relay stops reading, reads again
 *   wait MS            time passes
 *   result N OUTCOME REPLY   what was reported for recipient N; REPLY is "CODE ENHANCED TEXT", '*' as above
 *   stage N NAME       where that was decided
 *   dsn N yes|no       whether the relay has delivered, and taken over what is to be reported
 *   pending            nothing was reported yet
 *   free               the owner frees the client
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
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "smtp/smtp_client.h"
#include "tests/dialogue/script_text.h"
#include "tests/dialogue/smtp_relay.h"

#define SCRIPTS POSTERN_SOURCE_DIR "/tests/dialogue/smtp_client"

enum { LINE_SIZE = 4096, RECIPIENTS_MAX = 8, SCRIPTS_MAX = 200, TURNS = 30, TEXT_MAX = 16 << 20 };

static const char default_content[] = "Subject: Lunch\r\n\r\nAt noon?\r\n";

struct play {
    const char *file;
    int line;
    bool is_bytewise;
    const char *folder; /* temporary; holds the relay's socket and certificate */
    struct clock *clock;
    struct loop *loop;
    struct tls_context *tls;

    struct smtp_client_settings settings;
    char address[200], ca_file[200], user[200], password[200], pin[100];
    struct relay_scram *scram;
    char *scram_answer;
    struct smtp_client *client;
    struct smtp_address sender;
    struct smtp_client_recipient recipients[RECIPIENTS_MAX];
    char orcpts[RECIPIENTS_MAX][SMTP_ORCPT_MAX + 1];
    char envid[SMTP_ENVID_MAX + 1];
    enum smtp_dsn_ret ret;
    struct strbuf prefix;
    size_t recipient_count;
    struct strbuf content;
    int64_t announced; /* -1: the truth */
    bool is_8bit, is_utf8, is_probe;
    struct smtp_recipient_result results[RECIPIENTS_MAX];
    size_t result_count;                                    /* 0: nothing reported */
    void (*when_done)(struct play *play, const char *text); /* NULL: nothing */

    struct loop_listener *listener;
    struct stream *waiting; /* accepted, not yet looked at by the script */
    struct stream *relay;   /* the current connection; NULL once cut */
    bool was_closed;        /* by the client */
    struct strbuf received;
    size_t matched;
    struct strbuf packet; /* what the relay is about to send */
};

#define FAIL(play, ...)                                                                                                \
    do {                                                                                                               \
        print_error("%s:%d (%s): ", (play)->file, (play)->line, (play)->is_bytewise ? "bytewise" : "whole packets");   \
        print_error(__VA_ARGS__);                                                                                      \
        print_error("\n");                                                                                             \
        fail();                                                                                                        \
    } while (0)

static void turn(struct play *play, int turns)
{
    for (int i = 0; i < turns; i++)
        loop_turn(play->loop);
}

/* --- the relay --- */

static void relay_on_input(struct stream *stream, void *ctx)
{
    struct play *play = ctx;
    if (stream != play->relay)
        return;
    const uint8_t *data;
    size_t len;
    while ((len = stream_peek(stream, &data)) > 0) {
        strbuf_add(&play->received, data, len);
        stream_consume(stream, len);
    }
}

static void relay_on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)why, (void)detail;
    struct play *play = ctx;
    if (stream == play->relay) {
        play->was_closed = true;
        stream_free(&play->relay);
    } else {
        assert_ptr_equal(stream, play->waiting);
        stream_free(&play->waiting);
    }
}

static const struct stream_callbacks relay_callbacks = { .on_input = relay_on_input, .on_end = relay_on_end };

static void on_accept(int fd, const char *peer, void *arg)
{
    (void)peer;
    struct play *play = arg;
    assert_null(play->waiting);
    struct stream_settings settings = { .callbacks = &relay_callbacks, .ctx = play };
    play->waiting = stream_new_accepted(play->loop, &settings, fd, play->settings.implicit_tls ? play->tls : NULL);
}

static void listen_for_client(struct play *play)
{
    const char *error = NULL;
    play->listener = loop_listener_new(play->loop, play->address, on_accept, play, &error);
    if (play->listener == NULL)
        FAIL(play, "no listener: %s", error);
}

static void send_packet(struct play *play)
{
    size_t step = play->is_bytewise ? 1 : play->packet.len;
    for (size_t at = 0; at < play->packet.len && play->relay != NULL; at += step) {
        stream_write(play->relay, play->packet.data + at, step);
        turn(play, 3);
    }
    strbuf_clear(&play->packet);
    turn(play, TURNS);
}

static void add_unescaped(struct play *play, struct strbuf *out, const char *text)
{
    if (!script_unescape(text, out))
        FAIL(play, "bad escape: %s", text);
}

/* --- the lines of a script: the relay's --- */

static void do_say(struct play *play, const char *text)
{
    add_unescaped(play, &play->packet, text);
    strbuf_add_str(&play->packet, "\r\n");
}

static void do_say_raw(struct play *play, const char *text)
{
    add_unescaped(play, &play->packet, text);
}

static void do_repeat(struct play *play, const char *text)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);
    for (unsigned long i = 0; i < count; i++)
        do_say(play, end + 1);
}

static void do_accept(struct play *play, const char *text)
{
    (void)text;
    if (play->waiting == NULL)
        FAIL(play, "the client has not connected");
    if (play->relay != NULL)
        FAIL(play, "the client has not closed its other connection");
    play->relay = play->waiting;
    play->waiting = NULL;
    play->was_closed = false;
    strbuf_clear(&play->received);
    play->matched = 0;
}

static void do_no_connection(struct play *play, const char *text)
{
    (void)text;
    if (play->waiting != NULL)
        FAIL(play, "the client has connected");
}

static void do_network(struct play *play, const char *text)
{
    if (strcmp(text, "down") == 0)
        loop_listener_free(&play->listener);
    else
        listen_for_client(play);
}

static void do_expect(struct play *play, const char *pattern)
{
    const char *line = play->received.data + play->matched;
    size_t left = play->received.len - play->matched;
    const char *end = memmem(line, left, "\r\n", 2);
    size_t len = end == NULL ? left : (size_t)(end - line);
    struct strbuf wanted;
    strbuf_init(&wanted, TEXT_MAX);
    add_unescaped(play, &wanted, pattern);
    if (end == NULL || !script_matches(wanted.data, wanted.len, line, len))
        FAIL(play, "expected \"%s\", got \"%.*s\"%s", pattern, (int)len, line, end == NULL ? " and no line end" : "");
    strbuf_free(&wanted);
    play->matched += len + 2;
}

static void do_expect_pattern(struct play *play, const char *text)
{
    struct strbuf pattern;
    strbuf_init(&pattern, TEXT_MAX);
    char *rest;
    size_t size = strtoul(text, &rest, 10), skipped = strtoul(rest, NULL, 10);
    script_add_pattern(&pattern, skipped + size);
    if (play->received.len - play->matched < size ||
        memcmp(play->received.data + play->matched, pattern.data + skipped, size) != 0)
        FAIL(play, "the pattern has not come: %zu bytes are there", play->received.len - play->matched);
    play->matched += size;
    strbuf_free(&pattern);
}

static void do_scram(struct play *play, const char *text)
{
    char iterations[20];
    size_t len = strcspn(text, " ");
    snprintf(iterations, sizeof iterations, "%.*s", (int)len, text);
    relay_scram_free(&play->scram);
    play->scram = relay_scram_new(text + len + 1, iterations);
}

static void do_expect_scram(struct play *play, const char *before)
{
    const char *line = play->received.data + play->matched;
    const char *end = strstr(line, "\r\n");
    size_t len = strlen(before);
    if (end == NULL || strncmp(line, before, len) != 0 || (len > 0 && line[len++] != ' '))
        FAIL(play, "expected \"%s\" and a SCRAM message, got \"%s\"", before, line);
    char *said = xstrndup(line + len, (size_t)(end - line) - len);
    free(play->scram_answer);
    play->scram_answer = relay_scram_step(play->scram, said);
    free(said);
    play->matched += (size_t)(end - line) + 2;
}

static void do_say_scram(struct play *play, const char *text)
{
    (void)text;
    if (play->scram_answer == NULL)
        FAIL(play, "the relay finds the client lying");
    strbuf_add_fmt(&play->packet, "334 %s\r\n", play->scram_answer);
}

static void do_lying(struct play *play, const char *text)
{
    (void)text;
    if (play->scram_answer != NULL)
        FAIL(play, "the relay does not find the client lying");
}

static void do_quiet(struct play *play, const char *text)
{
    (void)text;
    size_t left = play->received.len - play->matched;
    if (left > 0)
        FAIL(play, "unexpected: \"%.*s\"", (int)(left < 200 ? left : 200), play->received.data + play->matched);
}

static void do_closed(struct play *play, const char *text)
{
    do_quiet(play, text);
    if (!play->was_closed)
        FAIL(play, "the connection is still open");
}

static void do_cut(struct play *play, const char *text)
{
    (void)text;
    stream_free(&play->relay);
}

static void do_parting(struct play *play, const char *text)
{
    do_say(play, text);
    stream_write(play->relay, play->packet.data, play->packet.len);
    strbuf_clear(&play->packet);
    turn(play, 1);
    stream_free(&play->relay);
    turn(play, TURNS);
}

static void do_tls(struct play *play, const char *text)
{
    stream_write(play->relay, text, strlen(text));
    stream_write(play->relay, "\r\n", 2);
    assert_int_equal(stream_start_tls_server(play->relay, play->tls), 1);
    turn(play, TURNS);
}

static void do_reading(struct play *play, const char *text)
{
    stream_pause_input(play->relay, strcmp(text, "off") == 0);
}

/* --- the lines of a script: the owner's and the clock's --- */

static bool is_yes(const char *text)
{
    return strcmp(text, "yes") == 0;
}

static const char wrong_pin[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

static const char *copy_into(char out[static 200], const char *value)
{
    snprintf(out, 200, "%s", value);
    return out;
}

static void do_set(struct play *play, const char *text)
{
    char name[32];
    size_t len = strcspn(text, " ");
    assert_true(len < sizeof name && text[len] == ' ');
    memcpy(name, text, len);
    name[len] = '\0';
    struct strbuf unescaped;
    strbuf_init(&unescaped, LINE_SIZE);
    add_unescaped(play, &unescaped, text + len + 1);
    char value[200];
    assert_true(snprintf(value, sizeof value, "%s", unescaped.data) < 200);
    strbuf_free(&unescaped);
    int64_t number = strtoll(value, NULL, 10);
    if (strcmp(name, "lmtp") == 0)
        play->settings.lmtp = is_yes(value);
    else if (strcmp(name, "implicit_tls") == 0)
        play->settings.implicit_tls = is_yes(value);
    else if (strcmp(name, "tls") == 0)
        play->settings.tls = relay_tls_by_name(value);
    else if (strcmp(name, "trust") == 0)
        play->settings.ca_file = is_yes(value) ? play->ca_file : NULL;
    else if (strcmp(name, "keep_ms") == 0)
        play->settings.keep_ms = number;
    else if (strcmp(name, "user") == 0)
        play->settings.user = copy_into(play->user, value);
    else if (strcmp(name, "password") == 0)
        play->settings.password = copy_into(play->password, value);
    else if (strcmp(name, "pin") == 0)
        play->settings.pin = is_yes(value) ? play->pin : wrong_pin;
    else
        FAIL(play, "unknown setting %s", name);
}

static void do_tcp(struct play *play, const char *text)
{
    (void)text;
    loop_listener_free(&play->listener);
    snprintf(play->address, sizeof play->address, "127.0.0.1:0");
    listen_for_client(play);
    snprintf(play->address, sizeof play->address, "%s", loop_listener_address(play->listener));
}

static void do_from(struct play *play, const char *text)
{
    memset(&play->sender, 0, sizeof play->sender);
    if (*text != '\0')
        assert_int_equal(smtp_address_parse(text, strlen(text), &play->sender), 1);
}

static void do_to(struct play *play, const char *text)
{
    play->recipient_count = 0;
    memset(play->recipients, 0, sizeof play->recipients);
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        assert_true(play->recipient_count < RECIPIENTS_MAX);
        assert_int_equal(smtp_address_parse(text, len, &play->recipients[play->recipient_count++].address), 1);
        text += len + strspn(text + len, " ");
    }
}

static void do_notify(struct play *play, const char *text)
{
    static const char *const words[] = { "success", "failure", "delay", "never" };
    char *rest;
    size_t index = strtoul(text, &rest, 10) - 1;
    assert_true(index < play->recipient_count);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        play->recipients[index].notify |= strstr(rest, words[i]) != NULL ? 1U << i : 0;
    assert_true(smtp_client_format_orcpt(&play->recipients[index].address, play->orcpts[index]));
    play->recipients[index].orcpt = play->orcpts[index];
}

static void do_envid(struct play *play, const char *text)
{
    assert_true(strlen(text) < sizeof play->envid);
    memcpy(play->envid, text, strlen(text) + 1);
}

static void do_ret(struct play *play, const char *text)
{
    play->ret = strcmp(text, "full") == 0 ? SMTP_DSN_RET_FULL : SMTP_DSN_RET_HDRS;
}

static void do_prefix(struct play *play, const char *text)
{
    strbuf_clear(&play->prefix);
    add_unescaped(play, &play->prefix, text);
}

static void do_content(struct play *play, const char *text)
{
    strbuf_clear(&play->content);
    add_unescaped(play, &play->content, text);
}

static void do_pattern(struct play *play, const char *text)
{
    strbuf_clear(&play->content);
    script_add_pattern(&play->content, strtoul(text, NULL, 10));
}

static void do_announce(struct play *play, const char *text)
{
    play->announced = strtoll(text, NULL, 10);
}

static void do_probe(struct play *play, const char *text)
{
    play->is_probe = text[0] == '\0';
}

static void do_8bit(struct play *play, const char *text)
{
    play->is_8bit = text[0] == '\0';
}

static void do_utf8(struct play *play, const char *text)
{
    play->is_utf8 = text[0] == '\0';
}

static void free_client(struct play *play, const char *text)
{
    (void)text;
    smtp_client_free(&play->client);
    assert_null(play->client);
}

static void do_free(struct play *play, const char *text)
{
    free_client(play, text);
    turn(play, TURNS);
}

static void on_done(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct play *play = ctx;
    assert_int_equal(play->result_count, 0); /* exactly once */
    assert_int_equal(count, play->recipient_count);
    assert_true(smtp_client_is_idle(play->client));
    memcpy(play->results, results, count * sizeof *results);
    play->result_count = count;
    if (play->when_done != NULL)
        play->when_done(play, "");
    play->when_done = NULL;
}

static void send_message(struct play *play, const char *text)
{
    (void)text;
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, play->content.data, play->content.len), play->content.len);
    struct smtp_client_message message = {
        .sender = play->sender,
        .recipients = play->recipients,
        .recipient_count = play->recipient_count,
        .envid = play->envid[0] == '\0' ? NULL : play->envid,
        .ret = play->ret,
        .prefix = play->prefix.len == 0 ? NULL : play->prefix.data,
        .content_fd = fd,
        .content_size = play->announced >= 0 ? play->announced : (int64_t)play->content.len,
        .is_probe = play->is_probe,
        .is_8bit = play->is_8bit,
        .is_smtputf8 = play->is_utf8,
    };
    play->result_count = 0;
    smtp_client_send(play->client, &message, on_done, play);
    assert_int_equal(play->result_count, 0); /* never from inside the call */
    assert_false(smtp_client_is_idle(play->client));
    close(fd);
}

static void do_send(struct play *play, const char *text)
{
    if (play->client == NULL) {
        char *error = NULL;
        play->client = smtp_client_new(&play->settings, &error);
        if (play->client == NULL)
            FAIL(play, "no client: %s", error);
    }
    send_message(play, text);
    turn(play, TURNS);
}

static void do_when_done(struct play *play, const char *text)
{
    play->when_done = strcmp(text, "send") == 0 ? send_message : free_client;
}

/* The result for the recipient whose number text begins with. */
static const struct smtp_recipient_result *result_of(struct play *play, const char *text, char **rest_out)
{
    size_t index = strtoul(text, rest_out, 10) - 1;
    if (play->result_count == 0)
        FAIL(play, "nothing was reported");
    assert_true(index < play->result_count);
    return &play->results[index];
}

static void do_stage(struct play *play, const char *text)
{
    char *rest;
    const struct smtp_recipient_result *result = result_of(play, text, &rest);
    if (strcmp(smtp_stage_name(result->stage), rest + 1) != 0)
        FAIL(play, "expected the stage %s, got %s", rest + 1, smtp_stage_name(result->stage));
}

static void do_dsn(struct play *play, const char *text)
{
    char *rest;
    if (result_of(play, text, &rest)->dsn != is_yes(rest + 1))
        FAIL(play, "expected the opposite of \"dsn %s\"", text);
}

static void do_result(struct play *play, const char *text)
{
    char *rest;
    const struct smtp_recipient_result *result = result_of(play, text, &rest);
    struct strbuf actual;
    strbuf_init(&actual, LINE_SIZE);
    strbuf_add_fmt(&actual, "%s %d %s %s", smtp_outcome_name(result->outcome), result->reply.code,
                   result->reply.enhanced[0] == '\0' ? "-" : result->reply.enhanced, result->reply.text);
    if (!script_matches(rest + 1, strlen(rest + 1), actual.data, actual.len))
        FAIL(play, "expected \"%s\", got \"%s\"", rest + 1, actual.data);
    strbuf_free(&actual);
}

static void do_pending(struct play *play, const char *text)
{
    (void)text;
    if (play->result_count > 0)
        FAIL(play, "reported already: %s", play->results[0].reply.text);
}

static void do_wait(struct play *play, const char *text)
{
    clock_advance(play->clock, strtoll(text, NULL, 10));
    turn(play, TURNS);
}

static void do_nothing(struct play *play, const char *text)
{
    (void)play, (void)text;
}

static const struct {
    const char *word;
    void (*run)(struct play *play, const char *text);
    bool is_said; /* goes into the packet; everything else sends the packet first */
} deeds[] = {
    { "set", do_set, false },
    { "whole packets", do_nothing, false },
    { "from", do_from, false },
    { "to", do_to, false },
    { "notify", do_notify, false },
    { "envid", do_envid, false },
    { "ret", do_ret, false },
    { "prefix:", do_prefix, false },
    { "content:", do_content, false },
    { "pattern", do_pattern, false },
    { "announce", do_announce, false },
    { "8bit", do_8bit, false },
    { "probe", do_probe, false },
    { "utf8", do_utf8, false },
    { "send", do_send, false },
    { "when done", do_when_done, false },
    { "accept", do_accept, false },
    { "no connection", do_no_connection, false },
    { "network", do_network, false },
    { "S:", do_say, true },
    { "s:", do_say_raw, true },
    { "repeat", do_repeat, true },
    { "C:", do_expect, false },
    { "C-pattern", do_expect_pattern, false },
    { "tcp", do_tcp, false },
    { "scram", do_scram, false },
    { "C-scram", do_expect_scram, false },
    { "S-scram", do_say_scram, true },
    { "lying", do_lying, false },
    { "quiet", do_quiet, false },
    { "closed", do_closed, false },
    { "cut", do_cut, false },
    { "parting", do_parting, false },
    { "tls", do_tls, false },
    { "reading", do_reading, false },
    { "wait", do_wait, false },
    { "result", do_result, false },
    { "stage", do_stage, false },
    { "dsn", do_dsn, false },
    { "pending", do_pending, false },
    { "free", do_free, false },
};

static void play_line(struct play *play, const char *line)
{
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        size_t len = strlen(deeds[i].word);
        if (strncmp(line, deeds[i].word, len) != 0 || (line[len] != ' ' && line[len] != '\0'))
            continue;
        if (!deeds[i].is_said)
            send_packet(play);
        /* What is decided in a turn is seen by the far side in the next ones. */
        turn(play, TURNS);
        deeds[i].run(play, line[len] == ' ' ? line + len + 1 : "");
        return;
    }
    FAIL(play, "what is \"%s\"?", line);
}

/* --- a whole script --- */

static void play_setup(struct play *play)
{
    play->clock = clock_new_fake(1000000, 1700000000000);
    play->loop = loop_new(play->clock);
    strbuf_init(&play->content, TEXT_MAX);
    strbuf_init(&play->prefix, TEXT_MAX);
    strbuf_init(&play->received, TEXT_MAX);
    strbuf_init(&play->packet, TEXT_MAX);
    strbuf_add_str(&play->content, default_content);
    play->announced = -1;
    assert_true(snprintf(play->address, sizeof play->address, "unix:%s/relay", play->folder) < 200);
    assert_true(snprintf(play->ca_file, sizeof play->ca_file, "%s/cert.pem", play->folder) < 200);
    relay_read_pin(play->ca_file, play->pin);
    char key_file[200];
    assert_true(snprintf(key_file, sizeof key_file, "%s/key.pem", play->folder) < 200);
    char *error = NULL;
    play->tls = tls_context_new_server(play->ca_file, key_file, &error);
    if (play->tls == NULL)
        FAIL(play, "no certificate: %s", error);
    play->settings =
        (struct smtp_client_settings){ .loop = play->loop, .address = play->address, .helo = "gw.example.org" };
    do_from(play, "alice.member@silo.example.org");
    do_to(play, "bob@example.com");
    listen_for_client(play);
}

static void play_teardown(struct play *play)
{
    smtp_client_free(&play->client);
    turn(play, TURNS);
    relay_scram_free(&play->scram);
    free(play->scram_answer);
    loop_listener_free(&play->listener);
    stream_free(&play->relay);
    stream_free(&play->waiting);
    turn(play, TURNS);
    tls_context_free(&play->tls);
    loop_free(&play->loop);
    clock_free(&play->clock);
    strbuf_free(&play->content);
    strbuf_free(&play->prefix);
    strbuf_free(&play->received);
    strbuf_free(&play->packet);
}

/* false: the script is not for playing byte by byte. */
static bool play_script(const char *path, const char *folder, bool is_bytewise)
{
    struct play play = { .file = path, .folder = folder, .is_bytewise = is_bytewise };
    play_setup(&play);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char line[LINE_SIZE];
    bool is_for_us = true;
    while (is_for_us && fgets(line, sizeof line, file) != NULL) {
        play.line++;
        size_t len = strcspn(line, "\n");
        assert_int_equal(line[len], '\n'); /* whole lines only */
        line[len] = '\0';
        is_for_us = !is_bytewise || strcmp(line, "whole packets") != 0;
        if (line[0] != '\0' && line[0] != '#' && is_for_us)
            play_line(&play, line);
    }
    fclose(file);
    send_packet(&play);
    play_teardown(&play);
    return is_for_us;
}

static void play_case(void **state)
{
    const char *path = *state;
    char folder[64];
    relay_make_folder(folder);
    play_script(path, folder, false);
    play_script(path, folder, true);
    relay_remove_folder(folder);
}

static void no_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

/* Arguments: scripts to play; none: all of them. */
int main(int argc, char **argv)
{
    log_set_sink(no_log, NULL);
    struct CMUnitTest tests[SCRIPTS_MAX];
    char *paths[SCRIPTS_MAX];
    size_t count = 0;
    struct dirent **entries = NULL;
    int found = scandir(SCRIPTS, &entries, script_is_dialogue, alphasort);
    for (int i = 0; i < found; i++) {
        struct strbuf path;
        strbuf_init(&path, LINE_SIZE);
        strbuf_add_fmt(&path, "%s/%s", SCRIPTS, entries[i]->d_name);
        bool is_wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            is_wanted = is_wanted || strstr(entries[i]->d_name, argv[k]) != NULL;
        if (is_wanted && count < SCRIPTS_MAX) {
            paths[count] = strbuf_detach(&path);
            tests[count] = (struct CMUnitTest){ .name = strrchr(paths[count], '/') + 1,
                                                .test_func = play_case,
                                                .initial_state = paths[count] };
            count++;
        }
        strbuf_free(&path);
        free(entries[i]);
    }
    free(entries);
    if (count == 0) {
        fputs("no scripts\n", stderr);
        return 1;
    }
    int failed = _cmocka_run_group_tests("smtp_client", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    return failed;
}
