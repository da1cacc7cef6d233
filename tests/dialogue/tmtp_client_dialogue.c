/* tmtp_client_dialogue.c - plays the scripts in tests/dialogue/tmtp_client/ against the TMTP client
 *
 * A script plays the silo, the owner and the clock. Lines ('#' begins a comment):
 *
 *   set NAME VALUE      a member of struct tmtp_client_settings, before `start`
 *   deaf                the owner has no callbacks but on_state
 *   start               makes the client
 *   network down|up     whether connections are refused
 *   silo JSON [| DATA | BODY]   the silo sends a frame; "datalen" and "datahead" are added. @N: N bytes of a pattern
 *   raw TEXT            the silo sends these bytes as they are
 *   client GLOB         the next request looks like this (see describe_request())
 *   owner GLOB          the next callback looks like this (see the on_... functions)
 *   quiet               neither a request nor a callback is left
 *   do WHAT ...         what the owner does: see the table `deeds`
 *   accepted N          what the last `do` returned (0: not allowed)
 *   reading off|on      the silo stops reading, reads again
 *   wait MS             time passes, in one jump
 *   cut                 the silo closes the connection
 *   attempt MIN MAX     the next attempt is planned in MIN to MAX ms
 *   token {...}|TEXT    what the owner has when it is asked for a token; TEXT: why it has none
 *   stop WHAT           what a person has to mend: none, pin, token, account, setup
 *   counted NAME N ...  what tmtp_client_get_statistics() says
 *   include NAME        plays another script here
 *
 * ${barrier} stands for the key of the last post to ourselves.
 *
 * Each script is played three times: as it is; with the silo's bytes coming one by one, each in a turn of its own; and
 * with the silo's keys capitalised.
 */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
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
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "tests/dialogue/tmtp_client_play.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"

static void play_script(struct play *play, const char *file);

/* --- events --- */

static void add_event(struct events *events, struct strbuf *text)
{
    assert_true(strbuf_ok(text));
    assert_true(events->count < EVENTS_MAX);
    events->text[events->count++] = strbuf_detach(text);
}

void play_callback_event(struct play *play, const char *fmt, ...)
{
    struct strbuf text;
    strbuf_init(&text, LINE_MAX_LEN);
    va_list args;
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    if (play->in_call)
        fail_msg("%s:%d: callback from inside a call: %s", play->file, play->line, text.data);
    add_event(&play->callbacks, &text);
}

static void expect_event(struct play *play, struct events *events, const char *who, const char *glob)
{
    if (events->next == events->count)
        fail_msg("%s:%d: the %s did nothing, expected: %s", play->file, play->line, who, glob);
    const char *text = events->text[events->next++];
    if (fnmatch(glob, text, 0) != 0)
        fail_msg("%s:%d: %s\n  expected: %s\n  got:      %s", play->file, play->line, who, glob, text);
}

static void expect_quiet(struct play *play, const struct events *events, const char *who)
{
    if (events->next < events->count)
        fail_msg("%s:%d: the %s did more: %s", play->file, play->line, who, events->text[events->next]);
}

static void free_events(struct events *events)
{
    for (size_t i = 0; i < events->count; i++)
        free(events->text[i]);
}

uint8_t play_pattern(size_t i)
{
    return (uint8_t)('!' + i % 89);
}

/* Short data as it is; long data must be the pattern. */
void play_show_data(struct strbuf *out, const char *data, size_t len)
{
    if (len <= SHOWN_MAX) {
        strbuf_add(out, data, len);
        return;
    }
    size_t i = 0;
    while (i < len && (uint8_t)data[i] == play_pattern(i))
        i++;
    if (i == len)
        strbuf_add_fmt(out, "@%zu", len);
    else
        strbuf_add_fmt(out, "%zu bytes, the first wrong one at %zu", len, i);
}

/* --- the silo's side --- */

static void describe_post(struct play *play, struct strbuf *out)
{
    const struct tmtp_request *request = &play->request;
    struct tmtp_message message;
    const char *error = NULL;

    for (size_t i = 0; i < request->for_count; i++)
        strbuf_add_fmt(out, "%s%s:%d", i ? "," : " for=", request->for_list[i].id, request->for_list[i].type);
    assert_int_equal(tmtp_message_decode(play->data.data, request->datahead, &message, &error), 1);
    if (message.nodesync)
        strbuf_add_str(out, " nodesync");
    else
        strbuf_add_fmt(out, " key=%s subject=%s", message.queue_key ? message.queue_key : "-", message.subject);
    if (message.nodesync && message.queue_key)
        snprintf(play->barrier, sizeof play->barrier, "%s", message.queue_key);
    tmtp_message_free(&message);
    if (play->data.len > request->datahead) {
        strbuf_add_str(out, " body=");
        play_show_data(out, play->data.data + request->datahead, play->data.len - request->datahead);
    }
}

static void add_field(struct strbuf *out, const char *name, const char *value)
{
    if (value)
        strbuf_add_fmt(out, " %s=%s", name, value);
}

/* "NAME id=... FIELD=VALUE ..." */
static void describe_request(struct play *play)
{
    static const char *const names[] = { "tmtprev",     "register",  "login", "useredit",   "ohiedit",
                                         "groupinvite", "groupedit", "post",  "postnotify", "ping",
                                         "ack",         "pulse",     "quit" };
    const struct tmtp_request *request = &play->request;
    struct strbuf out;

    strbuf_init(&out, LINE_MAX_LEN);
    strbuf_add_str(&out, names[request->op]);
    add_field(&out, "id", request->id);
    add_field(&out, "uid", request->uid);
    add_field(&out, "node", request->node);
    add_field(&out, "newalias", request->newalias);
    add_field(&out, "act", request->act);
    add_field(&out, "gid", request->gid);
    add_field(&out, "from", request->from);
    add_field(&out, "to", request->to);
    add_field(&out, "oidc", request->oidc);
    if (request->op == TMTP_OP_POST) {
        describe_post(play, &out);
    } else if (play->data.len > 0) {
        strbuf_add_str(&out, " data=");
        play_show_data(&out, play->data.data, play->data.len);
    }
    add_event(&play->requests, &out);
    tmtp_request_free(&play->request);
    strbuf_clear(&play->data);
}

static void silo_header(struct play *play)
{
    size_t len;
    const char *error = NULL;
    const char *json = tmtp_frame_header(play->decoder, &len);
    if (tmtp_request_decode(json, len, &play->request, &error) < 0)
        fail_msg("%s:%d: unreadable request: %s: %s", play->file, play->line, error, json);
    tmtp_frame_expect(play->decoder, play->request.datalen);
}

static void silo_input(struct stream *stream, void *ctx)
{
    struct play *play = ctx;
    enum tmtp_frame_event event;

    do {
        const uint8_t *data = NULL;
        size_t size = stream_peek(stream, &data);
        size_t left = size;
        event = tmtp_frame_feed(play->decoder, &data, &left);
        if (event == TMTP_FRAME_HEADER)
            silo_header(play);
        size_t len;
        const uint8_t *piece = tmtp_frame_data(play->decoder, &len);
        if (event == TMTP_FRAME_DATA)
            strbuf_add(&play->data, piece, len);
        stream_consume(stream, size - left);
        if (event == TMTP_FRAME_END)
            describe_request(play);
        if (event == TMTP_FRAME_BAD)
            fail_msg("%s:%d: the client doesn't speak TMTP: %s", play->file, play->line,
                     tmtp_frame_error(play->decoder));
    } while (event != TMTP_FRAME_MORE || stream_input_size(stream) > 0);
}

static void silo_gone(struct play *play)
{
    if (!play->silo)
        return;
    stream_free(&play->silo);
    tmtp_frame_decoder_free(&play->decoder);
    tmtp_request_free(&play->request);
    strbuf_clear(&play->data);
}

static void silo_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct play *play = ctx;
    struct strbuf text;
    (void)stream, (void)why, (void)detail;
    strbuf_init(&text, LINE_MAX_LEN);
    strbuf_add_str(&text, "gone");
    add_event(&play->requests, &text);
    silo_gone(play);
}

static const struct stream_callbacks silo_callbacks = { .on_input = silo_input, .on_end = silo_end };

static struct stream *connect_to_silo(const struct stream_settings *settings, void *ctx)
{
    struct play *play = ctx;
    struct stream *client_end = NULL;
    const struct stream_settings silo_settings = { .callbacks = &silo_callbacks, .ctx = play };

    if (play->network_down)
        return NULL;
    silo_gone(play);
    play->decoder = tmtp_frame_decoder_new(TMTP_FRAME_HEADER_MAX);
    stream_new_pair(play->loop, settings, &silo_settings, &client_end, &play->silo);
    return client_end;
}

/* --- the script's lines --- */

/* Cuts text at the first comma (or blank); *rest goes past it. */
char *play_next_word(char **rest, char separator)
{
    char *word = *rest;
    char *end = strchr(word, separator);
    *rest = end ? end + 1 : word + strlen(word);
    if (end)
        *end = '\0';
    return word;
}

/* Runs the verb that the line begins with. */
void play_run_verb(struct play *play, const struct verb *verbs, size_t count, char *line)
{
    char *name = play_next_word(&line, ' ');
    size_t i = 0;
    while (i < count && strcmp(verbs[i].name, name) != 0)
        i++;
    if (i == count)
        fail_msg("%s:%d: unknown: %s", play->file, play->line, name);
    verbs[i].run(play, line);
}

static void take_turns(struct play *play)
{
    for (int i = 0; i < TURNS; i++)
        loop_turn(play->loop);
}

static void line_do(struct play *play, char *args)
{
    play->in_call = true;
    play_do(play, args);
    play->in_call = false;
}

static void line_accepted(struct play *play, char *args)
{
    assert_int_equal(play->returned, strtoull(args, NULL, 10));
}

static void line_client(struct play *play, char *args)
{
    expect_event(play, &play->requests, "client", args);
}

static void line_owner(struct play *play, char *args)
{
    expect_event(play, &play->callbacks, "owner", args);
}

static void line_quiet(struct play *play, char *args)
{
    (void)args;
    expect_quiet(play, &play->requests, "client");
    expect_quiet(play, &play->callbacks, "owner");
}

static void add_data(struct strbuf *out, const char *text)
{
    if (text[0] != '@') {
        strbuf_add_str(out, text);
        return;
    }
    size_t size = strtoul(text + 1, NULL, 10);
    for (size_t i = 0; i < size; i++)
        strbuf_add_char(out, (char)play_pattern(i));
}

/* "op" becomes "Op", as the reference client spells it; in values nothing changes. */
static void capitalise_keys(char *json)
{
    for (char *quote = strchr(json, '"'); quote;) {
        char *end = quote + 1;
        while (*end && *end != '"')
            end += *end == '\\' && end[1] ? 2 : 1;
        if (*end && end[1] == ':' && quote[1] >= 'a' && quote[1] <= 'z')
            quote[1] = (char)(quote[1] - 'a' + 'A');
        quote = *end ? strchr(end + 1, '"') : NULL;
    }
}

/* Of long data only the first bytes go one by one. */
static void send_bytes(struct play *play, const char *bytes, size_t len)
{
    size_t singly = play->manner == BYTE_BY_BYTE ? SPLIT_MAX : 0;
    for (; singly > 0 && len > 0 && play->silo; bytes++, len--, singly--) {
        stream_write(play->silo, bytes, 1);
        loop_turn(play->loop);
        loop_turn(play->loop);
    }
    if (len > 0 && play->silo)
        stream_write(play->silo, bytes, len);
}

static void line_silo(struct play *play, char *args)
{
    struct strbuf header, data, frame;
    char *head = strstr(args, " | ");
    char *body = head ? strstr(head + 3, " | ") : NULL;
    size_t datahead = 0;

    assert_non_null(play->silo);
    strbuf_init(&header, TMTP_FRAME_HEADER_MAX);
    strbuf_init(&data, DATA_MAX);
    strbuf_init(&frame, DATA_MAX);
    if (body)
        *body = '\0';
    if (head) {
        *head = '\0';
        add_data(&data, head + 3);
    }
    if (body) {
        datahead = data.len;
        add_data(&data, body + 3);
    }
    strbuf_add_str(&header, args);
    if (head) {
        strbuf_truncate(&header, header.len - 1);
        strbuf_add_fmt(&header, ",\"datalen\":%zu,\"datahead\":%zu}", data.len, datahead);
    }
    if (play->manner == CAPITALISED) {
        capitalise_keys(header.data);
        if (datahead > 0 && data.data[0] == '{')
            capitalise_keys(data.data);
    }
    assert_int_equal(tmtp_frame_compose(&frame, header.data, header.len), 1);
    strbuf_add(&frame, data.data, data.len);
    send_bytes(play, frame.data, frame.len);
    strbuf_free(&header);
    strbuf_free(&data);
    strbuf_free(&frame);
}

static void line_raw(struct play *play, char *args)
{
    send_bytes(play, args, strlen(args));
}

static void line_reading(struct play *play, char *args)
{
    stream_pause_input(play->silo, strcmp(args, "off") == 0);
}

static void line_cut(struct play *play, char *args)
{
    (void)args;
    silo_gone(play);
}

static void line_wait(struct play *play, char *args)
{
    clock_advance(play->clock, strtoll(args, NULL, 10));
}

static void line_network(struct play *play, char *args)
{
    play->network_down = strcmp(args, "down") == 0;
}

static void line_attempt(struct play *play, char *args)
{
    int64_t least = strtoll(play_next_word(&args, ' '), NULL, 10);
    int64_t most = strtoll(args, NULL, 10);
    int64_t planned = tmtp_client_next_attempt_ms(play->client);
    int64_t delay = planned ? planned - clock_monotonic_ms(play->clock) : 0;
    if (delay < least || delay > most)
        fail_msg("%s:%d: next attempt in %" PRId64 " ms", play->file, play->line, delay);
}

/* Settings that are strings; the rest of the line is the value. */
static const struct {
    const char *name;
    size_t offset;
} string_settings[] = {
    { "address", offsetof(struct tmtp_client_settings, address) },
    { "uid", offsetof(struct tmtp_client_settings, uid) },
    { "node", offsetof(struct tmtp_client_settings, node) },
    { "alias", offsetof(struct tmtp_client_settings, alias) },
    { "spool_dir", offsetof(struct tmtp_client_settings, spool_dir) },
};

static void line_setting(struct play *play, char *args)
{
    char *name = play_next_word(&args, ' ');
    for (size_t i = 0; i < sizeof string_settings / sizeof string_settings[0]; i++) {
        if (strcmp(string_settings[i].name, name) == 0) {
            char *copy = xstrdup(args);
            assert_true(play->owned_count < sizeof play->owned / sizeof play->owned[0]);
            play->owned[play->owned_count++] = copy;
            memcpy((char *)&play->settings + string_settings[i].offset, &copy, sizeof copy);
            return;
        }
    }
    if (strcmp(name, "message_max") != 0)
        fail_msg("%s:%d: no such setting: %s", play->file, play->line, name);
    play->settings.message_max = strtoll(args, NULL, 10);
}

static void line_token(struct play *play, char *args)
{
    snprintf(play->token, sizeof play->token, "%s", args);
}

static void line_stop(struct play *play, char *args)
{
    static const char *const causes[] = { "none", "pin", "token", "account", "setup" };
    enum tmtp_client_stop cause = tmtp_client_stop_cause(play->client);
    if (strcmp(causes[cause], args) != 0)
        fail_msg("%s:%d: the cause of the stop is %s", play->file, play->line, causes[cause]);
}

/* NAME N ... of the statistics that are counted so far */
static void line_counted(struct play *play, char *args)
{
    struct tmtp_client_statistics counted;
    tmtp_client_get_statistics(play->client, &counted);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        { "logins", counted.logins },
        { "posts", counted.posts },
        { "echoes", counted.echoes },
        { "deliveries", counted.deliveries },
        { "pings", counted.pings },
        { "notices", counted.notices },
        { "unknown", counted.unknown },
        { "bad_sums", counted.bad_sums },
        { "redeliveries", counted.redeliveries },
    };
    while (args[0]) {
        const char *name = play_next_word(&args, ' ');
        uint64_t wanted = strtoull(play_next_word(&args, ' '), NULL, 10);
        size_t i = 0;
        while (i < sizeof counters / sizeof counters[0] && strcmp(counters[i].name, name) != 0)
            i++;
        if (i == sizeof counters / sizeof counters[0] || counters[i].value != wanted)
            fail_msg("%s:%d: %s is not %" PRIu64, play->file, play->line, name, wanted);
    }
}

static void line_deaf(struct play *play, char *args)
{
    (void)args;
    play->settings.callbacks = &play_deaf_owner;
}

static void line_start(struct play *play, char *args)
{
    (void)args;
    play->in_call = true;
    play->client = tmtp_client_new(&play->settings);
    play->in_call = false;
}

static void line_include(struct play *play, char *args)
{
    const char *file = play->file;
    int line = play->line;
    play_script(play, args);
    play->file = file;
    play->line = line;
}

static const struct verb lines[] = {
    { "set", line_setting }, { "deaf", line_deaf },       { "start", line_start },       { "network", line_network },
    { "silo", line_silo },   { "raw", line_raw },         { "client", line_client },     { "owner", line_owner },
    { "quiet", line_quiet }, { "do", line_do },           { "accepted", line_accepted }, { "reading", line_reading },
    { "token", line_token }, { "stop", line_stop },       { "counted", line_counted },   { "wait", line_wait },
    { "cut", line_cut },     { "attempt", line_attempt }, { "include", line_include },
};

static void replace_barrier(const struct play *play, const char *text, struct strbuf *out)
{
    static const char variable[] = "${barrier}";
    const char *at;
    while ((at = strstr(text, variable))) {
        strbuf_add(out, text, (size_t)(at - text));
        strbuf_add_str(out, play->barrier);
        text = at + sizeof variable - 1;
    }
    strbuf_add_str(out, text);
}

static void play_script(struct play *play, const char *file)
{
    struct strbuf path;
    char text[LINE_MAX_LEN];

    strbuf_init(&path, LINE_MAX_LEN);
    strbuf_add_fmt(&path, "%s/tests/dialogue/tmtp_client/%s", POSTERN_SOURCE_DIR, file);
    FILE *script = fopen(path.data, "re");
    if (!script)
        fail_msg("%s can't be read", path.data);
    strbuf_free(&path);
    play->file = file;
    play->line = 0;
    while (fgets(text, sizeof text, script)) {
        play->line++;
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '\0' || text[0] == '#')
            continue;
        struct strbuf line;
        strbuf_init(&line, LINE_MAX_LEN + 1000);
        replace_barrier(play, text, &line);
        play_run_verb(play, lines, sizeof lines / sizeof lines[0], line.data);
        take_turns(play);
        strbuf_free(&line);
    }
    fclose(script);
}

struct test {
    const char *file;
    enum manner manner;
    char name[100];
};

static void test_script(void **state)
{
    struct play *play = xcalloc(1, sizeof *play);
    const struct test *test = *state;

    play->clock = clock_new_fake(1000000, 1763880000000);
    play->loop = loop_new(play->clock);
    strbuf_init(&play->data, DATA_MAX);
    play->settings = (struct tmtp_client_settings){
        .loop = play->loop,
        .address = "=silo.example:4433",
        .spool_dir = "/tmp",
        .callbacks = &play_owner,
        .ctx = play,
        .connect = connect_to_silo,
        .connect_ctx = play,
    };
    play->manner = test->manner;
    play_script(play, test->file);
    line_quiet(play, NULL);

    tmtp_client_free(&play->client);
    silo_gone(play);
    loop_turn(play->loop);
    loop_free(&play->loop);
    clock_free(&play->clock);
    free_events(&play->requests);
    free_events(&play->callbacks);
    strbuf_free(&play->data);
    for (size_t i = 0; i < play->owned_count; i++)
        free(play->owned[i]);
    free(play);
}

static int is_dialogue(const struct dirent *entry)
{
    return fnmatch("*.dialogue", entry->d_name, 0) == 0;
}

static void no_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

static void add_tests(struct test *tests, size_t *count, const char *file)
{
    static const char *const suffixes[MANNERS] = { "", ", byte by byte", ", keys capitalised" };
    for (enum manner manner = AS_IT_IS; manner < MANNERS; manner++) {
        struct test *test = &tests[(*count)++];
        test->file = file;
        test->manner = manner;
        snprintf(test->name, sizeof test->name, "%s%s", file, suffixes[manner]);
    }
}

/* All scripts, or those named on the command line (then with the log). */
int main(int argc, char **argv)
{
    struct dirent **entries;
    int count = scandir(POSTERN_SOURCE_DIR "/tests/dialogue/tmtp_client", &entries, is_dialogue, alphasort);
    size_t room = MANNERS * ((size_t)count + (size_t)argc), test_count = 0;
    struct CMUnitTest *unit_tests = xcalloc(room, sizeof *unit_tests);
    struct test *tests = xcalloc(room, sizeof *tests);

    for (int i = 1; i < argc; i++)
        add_tests(tests, &test_count, argv[i]);
    if (argc == 1) {
        log_set_sink(no_log, NULL);
        for (int i = 0; i < count; i++)
            add_tests(tests, &test_count, entries[i]->d_name);
    }
    for (size_t i = 0; i < test_count; i++)
        unit_tests[i] =
            (struct CMUnitTest){ .name = tests[i].name, .test_func = test_script, .initial_state = &tests[i] };
    int failed = _cmocka_run_group_tests("tmtp_client_dialogue", unit_tests, test_count, NULL, NULL);
    while (count > 0)
        free(entries[--count]);
    free(entries);
    free(tests);
    free(unit_tests);
    return test_count ? failed : 1;
}
