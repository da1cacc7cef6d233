/* tmtp_silo_dialogue.c - plays the scripts in tests/dialogue/tmtp_silo/ against the embedded silo
 *
 * A script plays the clients and the clock. A connection is named by a word, here A. Lines ('#' begins a comment):
 *
 *   connect A              a new connection
 *   A> JSON [| DATA]       the client sends a frame; "datalen" is added when there is DATA and no "datalen"
 *   A>> TEXT               the client sends these bytes as they are
 *   A< JSON [| DATA]       the next frame from the silo has these members (and maybe others) and exactly this data
 *   A ack ID               the client acknowledges a message
 *   A quiet                the silo has sent nothing more
 *   A closed               the silo has sent nothing more and has closed the connection
 *   A reading off|on       the client stops taking input, takes it again
 *   cut A                  the client closes the connection
 *   register A ALIAS       connect, tmtprev, register with that alias; binds $A.uid and $A.node
 *   login A B              connect A, tmtprev, log in as the account and node of B (bound before); its login message is
 *                          acknowledged
 *   advance 30s | 500ms    time passes
 *   restart                the silo ends and begins again with the same files; all connections are gone
 *   content N              the silo keeps N files of long messages
 *   disk full|usable       whether anything can be written
 *   repeat N LINE          plays a line N times
 *
 * A string "$name" in JSON to be sent stands for what name is bound to. In JSON to be matched it must equal that, or
 * binds name when it is not bound yet. A value null must be absent. DATA @N, and a string "@N" in JSON to be sent, stands
 * for N bytes of a pattern.
 *
 * Each script is played twice: with frames in one piece, and byte by byte, each arriving in a turn of its own.
 */
#include <dirent.h>
#include <ftw.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_silo.h"

enum {
    LINE_SIZE = 80 * 1024,
    TURNS = 400,
    CONNECTIONS = 20,
    FRAMES = 200,
    BINDINGS = 100,
    SPLIT_MAX = 4096,
    DATA_LIMIT = 1 << 26
};

struct frame {
    json_t *header;
    struct strbuf data;
};

struct connection {
    char name[20]; /* "": free */
    struct stream *stream;
    struct tmtp_frame_decoder *decoder;
    struct frame frames[FRAMES]; /* those before `next` have been matched */
    size_t count, next;
    bool deaf, closed;
    size_t sent_singly; /* bytes of the frame */
};

struct scenario {
    char *path, *name;
    bool split; /* what the clients send goes byte by byte */
};

struct play {
    const char *script;
    bool split;
    int line;
    char folder[64];
    struct clock *clock;
    struct loop *loop;
    struct tmtp_silo *silo;
    struct connection connections[CONNECTIONS];
    struct {
        char *name, *value;
    } bindings[BINDINGS];
    size_t binding_count;
};

#define FAIL(play, ...)                                                                                                \
    do {                                                                                                               \
        print_error("%s:%d: ", (play)->script, (play)->line);                                                          \
        print_error(__VA_ARGS__);                                                                                      \
        print_error("\n");                                                                                             \
        fail();                                                                                                        \
    } while (0)

/* --- bindings --- */

static const char *binding(const struct play *play, const char *name)
{
    for (size_t i = 0; i < play->binding_count; i++) {
        if (strcmp(play->bindings[i].name, name) == 0)
            return play->bindings[i].value;
    }
    return NULL;
}

static void bind(struct play *play, const char *name, const char *value)
{
    assert_true(play->binding_count < BINDINGS);
    play->bindings[play->binding_count].name = xstrdup(name);
    play->bindings[play->binding_count++].value = xstrdup(value);
}

static void add_data(struct strbuf *out, const char *data)
{
    if (data[0] != '@') {
        strbuf_add_str(out, data);
        return;
    }
    long count = strtol(data + 1, NULL, 10);
    for (long i = 0; i < count; i++)
        strbuf_add_char(out, (char)('a' + i % 23));
}

static json_t *substitute_string(struct play *play, const char *text)
{
    if (text[0] == '@') {
        struct strbuf pattern;
        strbuf_init(&pattern, DATA_LIMIT);
        add_data(&pattern, text);
        json_t *string = json_stringn(pattern.data, pattern.len);
        strbuf_free(&pattern);
        return string;
    }
    const char *bound = binding(play, text + 1);
    if (bound == NULL)
        FAIL(play, "%s is not bound", text);
    return json_string(bound);
}

/* The value with all "$name" and "@N" replaced; a new reference. */
static json_t *substitute(struct play *play, json_t *value)
{
    if (json_is_string(value) && strchr("$@", json_string_value(value)[0]) != NULL && json_string_length(value) > 0)
        return substitute_string(play, json_string_value(value));
    if (json_is_array(value)) {
        json_t *copy = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(copy, substitute(play, json_array_get(value, i)));
        return copy;
    }
    if (json_is_object(value)) {
        json_t *copy = json_object();
        const char *key;
        json_t *member;
        json_object_foreach(value, key, member)
        {
            json_object_set_new(copy, key, substitute(play, member));
        }
        return copy;
    }
    return json_incref(value);
}

static bool matches(struct play *play, json_t *wanted, json_t *got)
{
    if (json_is_null(wanted))
        return got == NULL;
    if (json_is_string(wanted) && json_string_value(wanted)[0] == '$') {
        const char *name = json_string_value(wanted) + 1;
        if (!json_is_string(got))
            return false;
        if (binding(play, name) == NULL)
            bind(play, name, json_string_value(got));
        return strcmp(binding(play, name), json_string_value(got)) == 0;
    }
    if (json_is_array(wanted)) {
        if (json_array_size(wanted) != json_array_size(got))
            return false;
        for (size_t i = 0; i < json_array_size(wanted); i++) {
            if (!matches(play, json_array_get(wanted, i), json_array_get(got, i)))
                return false;
        }
        return true;
    }
    if (json_is_object(wanted)) {
        const char *key;
        json_t *member;
        json_object_foreach(wanted, key, member)
        {
            if (!matches(play, member, json_object_get(got, key)))
                return false;
        }
        return true;
    }
    return json_equal(wanted, got) != 0;
}

/* --- connections --- */

static void take_frame_header(struct connection *connection)
{
    size_t len;
    const char *text = tmtp_frame_header(connection->decoder, &len);
    assert_true(connection->count < FRAMES);
    struct frame *frame = &connection->frames[connection->count];
    frame->header = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    assert_non_null(frame->header);
    strbuf_init(&frame->data, DATA_LIMIT);
    tmtp_frame_expect(connection->decoder, (uint64_t)json_integer_value(json_object_get(frame->header, "datalen")));
}

static void on_input(struct stream *stream, void *ctx)
{
    struct connection *connection = ctx;
    const uint8_t *data;
    size_t len;
    while (!connection->deaf && (len = stream_peek(stream, &data)) > 0) {
        size_t left = len;
        enum tmtp_frame_event event;
        while ((event = tmtp_frame_feed(connection->decoder, &data, &left)) != TMTP_FRAME_MORE) {
            assert_int_not_equal(event, TMTP_FRAME_BAD);
            if (event == TMTP_FRAME_HEADER)
                take_frame_header(connection);
            if (event == TMTP_FRAME_DATA) {
                size_t piece_len;
                const uint8_t *piece = tmtp_frame_data(connection->decoder, &piece_len);
                strbuf_add(&connection->frames[connection->count].data, piece, piece_len);
            }
            if (event == TMTP_FRAME_END)
                connection->count++;
        }
        stream_consume(stream, len - left);
    }
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream, (void)why, (void)detail;
    struct connection *connection = ctx;
    connection->closed = true;
}

static void turn(struct play *play)
{
    for (int i = 0; i < TURNS; i++)
        loop_turn(play->loop);
}

static struct connection *find(struct play *play, const char *name)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (strcmp(play->connections[i].name, name) == 0)
            return &play->connections[i];
    }
    FAIL(play, "no connection %s", name);
    return NULL;
}

static struct connection *do_connect(struct play *play, const char *name)
{
    static const struct stream_callbacks callbacks = { .on_input = on_input, .on_end = on_end };
    struct connection *connection = find(play, "");
    const struct stream_settings settings = { .callbacks = &callbacks, .ctx = connection };
    snprintf(connection->name, sizeof connection->name, "%s", name);
    connection->decoder = tmtp_frame_decoder_new(TMTP_FRAME_HEADER_MAX);
    connection->stream = tmtp_silo_attach(play->silo, &settings);
    return connection;
}

static void do_cut(struct play *play, struct connection *connection)
{
    stream_free(&connection->stream);
    tmtp_frame_decoder_free(&connection->decoder);
    /* A frame that has begun counts as one to be freed. */
    for (size_t i = 0; i < FRAMES; i++) {
        json_decref(connection->frames[i].header);
        if (connection->frames[i].data.data != NULL)
            strbuf_free(&connection->frames[i].data);
    }
    memset(connection, 0, sizeof *connection);
    turn(play);
}

/* --- what lines do --- */

/* Splits "JSON | DATA"; *data_out is NULL without data. */
static json_t *parse_frame(struct play *play, char *text, const char **data_out)
{
    char *bar = strstr(text, " | ");
    *data_out = bar != NULL ? bar + 3 : NULL;
    if (bar != NULL)
        *bar = '\0';
    json_error_t error;
    json_t *header = json_loads(text, JSON_ALLOW_NUL, &error);
    if (header == NULL)
        FAIL(play, "%s in: %s", error.text, text);
    return header;
}

/* Of long data only the first bytes go one by one. */
static void send_bytes(struct play *play, struct connection *connection, const char *data, size_t len)
{
    for (; play->split && len > 0 && !connection->closed; data++, len--) {
        if (connection->sent_singly++ >= SPLIT_MAX)
            break;
        stream_write(connection->stream, data, 1);
        loop_turn(play->loop);
        loop_turn(play->loop);
    }
    if (len > 0 && !connection->closed)
        stream_write(connection->stream, data, len);
}

static void do_send(struct play *play, struct connection *connection, char *text)
{
    const char *data_text;
    json_t *script = parse_frame(play, text, &data_text);
    json_t *header = substitute(play, script);
    struct strbuf data;
    strbuf_init(&data, DATA_LIMIT);
    if (data_text != NULL)
        add_data(&data, data_text);
    if (data.len > 0 && json_object_get(header, "datalen") == NULL)
        json_object_set_new(header, "datalen", json_integer((json_int_t)data.len));
    char *json = json_dumps(header, JSON_COMPACT);
    struct strbuf head;
    strbuf_init(&head, TMTP_FRAME_HEADER_MAX + 4);
    assert_int_equal(tmtp_frame_compose(&head, json, strlen(json)), 1);
    connection->sent_singly = 0;
    send_bytes(play, connection, head.data, head.len);
    send_bytes(play, connection, data.data, data.len);
    free(json);
    strbuf_free(&head);
    strbuf_free(&data);
    json_decref(header);
    json_decref(script);
    turn(play);
}

static void do_expect(struct play *play, struct connection *connection, char *text)
{
    const char *data_text;
    json_t *wanted = parse_frame(play, text, &data_text);
    if (connection->next == connection->count)
        FAIL(play, "nothing came: %s", text);
    struct frame *frame = &connection->frames[connection->next++];
    if (!matches(play, wanted, frame->header)) {
        char *got = json_dumps(frame->header, JSON_COMPACT);
        print_error("came: %s\n", got);
        free(got);
        FAIL(play, "wanted: %s", text);
    }
    struct strbuf data;
    strbuf_init(&data, DATA_LIMIT);
    if (data_text != NULL)
        add_data(&data, data_text);
    if (data.len != frame->data.len || memcmp(data.data, frame->data.data, data.len) != 0)
        FAIL(play, "other data (%zu bytes): %.100s", frame->data.len, frame->data.data);
    strbuf_free(&data);
    json_decref(wanted);
}

static void say(struct play *play, struct connection *connection, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct play *play, struct connection *connection, const char *fmt, ...)
{
    char text[1000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (text[0] == '<')
        do_expect(play, connection, text + 1);
    else
        do_send(play, connection, text);
}

static void do_register(struct play *play, const char *name, const char *alias)
{
    struct connection *connection = do_connect(play, name);
    say(play, connection, "{\"op\":0,\"id\":\"1\"}");
    say(play, connection, "<{\"op\":\"tmtprev\",\"id\":\"1\"}");
    say(play, connection, "{\"op\":1,\"newnode\":\"x\",\"newalias\":\"%s\"}", alias);
    say(play, connection, "<{\"op\":\"registered\",\"uid\":\"$%s.uid\",\"nodeid\":\"$%s.node\",\"error\":null}", name,
        name);
    say(play, connection, "<{\"op\":\"info\",\"info\":\"login ok\"}");
}

static void do_login(struct play *play, const char *name, const char *account)
{
    struct connection *connection = do_connect(play, name);
    char id[20];
    static unsigned logins;
    snprintf(id, sizeof id, "login%u", logins++);
    say(play, connection, "{\"op\":0,\"id\":\"1\"}");
    say(play, connection, "<{\"op\":\"tmtprev\"}");
    say(play, connection, "{\"op\":2,\"uid\":\"$%s.uid\",\"node\":\"$%s.node\"}", account, account);
    say(play, connection, "<{\"op\":\"info\",\"info\":\"login ok\"}");
    say(play, connection, "<{\"op\":\"login\",\"id\":\"$%s\",\"from\":\"$%s.uid\"}", id, account);
    say(play, connection, "{\"op\":10,\"id\":\"$%s\",\"type\":\"ok\"}", id);
}

static void start_silo(struct play *play)
{
    char *error = NULL;
    const struct tmtp_silo_settings settings = { .loop = play->loop, .state_dir = play->folder, .name = "Test silo" };
    play->silo = tmtp_silo_new(&settings, &error);
    if (play->silo == NULL)
        FAIL(play, "%s", error);
}

static void do_restart(struct play *play)
{
    tmtp_silo_free(&play->silo);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (play->connections[i].name[0] != '\0')
            do_cut(play, &play->connections[i]);
    }
    start_silo(play);
}

static void do_advance(struct play *play, const char *text)
{
    char *unit;
    long amount = strtol(text, &unit, 10);
    clock_advance(play->clock, amount * (strcmp(unit, "ms") == 0 ? 1 : 1000));
    turn(play);
}

static void do_content(struct play *play, const char *text)
{
    struct strbuf path;
    strbuf_init(&path, 200);
    strbuf_add_fmt(&path, "%s/content", play->folder);
    DIR *dir = opendir(path.data);
    assert_non_null(dir);
    long files = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        files += entry->d_name[0] != '.';
    closedir(dir);
    strbuf_free(&path);
    if (files != strtol(text, NULL, 10))
        FAIL(play, "%ld files", files);
}

static void do_disk(struct play *play, const char *text)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = strcmp(text, "full") == 0 ? 1 : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)play;
}

static void play_connection_line(struct play *play, const char *name, char *rest)
{
    struct connection *connection = find(play, name);
    bool more = connection->next < connection->count;
    if (strncmp(rest, "ack ", 4) == 0) {
        say(play, connection, "{\"op\":10,\"id\":\"%s\",\"type\":\"ok\"}", rest + 4);
    } else if (strcmp(rest, "quiet") == 0) {
        if (more || connection->closed)
            FAIL(play, more ? "something came" : "closed");
    } else if (strcmp(rest, "closed") == 0) {
        if (more || !connection->closed)
            FAIL(play, more ? "something came" : "still open");
    } else if (strncmp(rest, "reading ", 8) == 0) {
        connection->deaf = strcmp(rest + 8, "off") == 0;
        stream_pause_input(connection->stream, connection->deaf);
        turn(play);
    } else {
        FAIL(play, "what is '%s'?", rest);
    }
}

static void play_line(struct play *play, char *line);

static void do_repeat(struct play *play, const char *text)
{
    char *line;
    for (long count = strtol(text, &line, 10); count > 0; count--) {
        char *copy = xstrdup(line + 1);
        play_line(play, copy);
        free(copy);
    }
}

static void play_line(struct play *play, char *line)
{
    size_t word = strcspn(line, " ");
    char *rest = line + word + (line[word] != '\0');
    bool arrow = word >= 2 && strchr("<>", line[word - 1]) != NULL;
    line[word] = '\0';
    if (arrow) {
        bool raw = word >= 3 && line[word - 2] == '>';
        bool expects = line[word - 1] == '<';
        line[word - (raw ? 2 : 1)] = '\0';
        struct connection *connection = find(play, line);
        if (raw) {
            connection->sent_singly = 0;
            send_bytes(play, connection, rest, strlen(rest));
            turn(play);
        } else if (expects) {
            do_expect(play, connection, rest);
        } else {
            do_send(play, connection, rest);
        }
        return;
    }
    char *second = rest + strcspn(rest, " ");
    char *last = *second != '\0' ? second + 1 : second;
    if (strcmp(line, "register") == 0 || strcmp(line, "login") == 0) {
        *second = '\0';
        (line[0] == 'r' ? do_register : do_login)(play, rest, last);
    } else if (strcmp(line, "connect") == 0) {
        do_connect(play, rest);
    } else if (strcmp(line, "cut") == 0) {
        do_cut(play, find(play, rest));
    } else if (strcmp(line, "advance") == 0) {
        do_advance(play, rest);
    } else if (strcmp(line, "restart") == 0) {
        do_restart(play);
    } else if (strcmp(line, "content") == 0) {
        do_content(play, rest);
    } else if (strcmp(line, "disk") == 0) {
        do_disk(play, rest);
    } else if (strcmp(line, "repeat") == 0) {
        do_repeat(play, rest);
    } else {
        play_connection_line(play, line, rest);
    }
}

/* --- a whole script --- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void play_script(void **state)
{
    struct play *play = xcalloc(1, sizeof *play);
    const struct scenario *scenario = *state;
    play->script = scenario->path;
    play->split = scenario->split;
    snprintf(play->folder, sizeof play->folder, "/tmp/silo-dialogue-XXXXXX");
    assert_non_null(mkdtemp(play->folder));
    play->clock = clock_new_fake(1000, INT64_C(1795000000000));
    play->loop = loop_new(play->clock);
    start_silo(play);

    FILE *file = fopen(play->script, "r");
    assert_non_null(file);
    char *line = xmalloc(LINE_SIZE);
    while (fgets(line, LINE_SIZE, file) != NULL) {
        play->line++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#')
            play_line(play, line);
    }
    free(line);
    fclose(file);

    tmtp_silo_free(&play->silo);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (play->connections[i].name[0] != '\0')
            do_cut(play, &play->connections[i]);
    }
    turn(play);
    loop_free(&play->loop);
    clock_free(&play->clock);
    for (size_t i = 0; i < play->binding_count; i++) {
        free(play->bindings[i].name);
        free(play->bindings[i].value);
    }
    nftw(play->folder, remove_entry, 10, FTW_DEPTH | FTW_PHYS);
    free(play);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".dialogue") == 0;
}

static void drop_line(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(void)
{
    static const char folder[] = POSTERN_SOURCE_DIR "/tests/dialogue/tmtp_silo";
    struct dirent **entries;
    log_set_sink(drop_line, NULL);
    signal(SIGXFSZ, SIG_IGN); /* for "disk full": a write fails instead */
    int count = scandir(folder, &entries, is_script, by_name);
    if (count <= 0)
        return 1;
    struct CMUnitTest *tests = xcalloc((size_t)count * 2, sizeof *tests);
    struct scenario *scenarios = xcalloc((size_t)count * 2, sizeof *scenarios);
    for (int i = 0; i < count * 2; i++) {
        struct strbuf path;
        struct strbuf name;
        strbuf_init(&path, 1000);
        strbuf_init(&name, 1000);
        bool split = i % 2 == 1;
        strbuf_add_fmt(&path, "%s/%s", folder, entries[i / 2]->d_name);
        strbuf_add_fmt(&name, "%s%s", entries[i / 2]->d_name, split ? ", byte by byte" : "");
        scenarios[i] = (struct scenario){ strbuf_detach(&path), strbuf_detach(&name), split };
        tests[i] =
            (struct CMUnitTest){ .name = scenarios[i].name, .test_func = play_script, .initial_state = &scenarios[i] };
    }
    int failed = _cmocka_run_group_tests("tmtp_silo_dialogue", tests, (size_t)count * 2, NULL, NULL);
    for (int i = 0; i < count * 2; i++) {
        free(scenarios[i].path);
        free(scenarios[i].name);
    }
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(tests);
    free(scenarios);
    free(entries);
    return failed;
}
