/* The cut test in memory: two owners of real clients talk through the real embedded silo. The link of one of them, the
 * gateway, is cut after every single byte of the whole conversation, in either direction: login, barrier, posts,
 * echoes, deliveries, acknowledgements. Whatever the byte, each side must have each message of the other exactly once, and
 * nothing may stay behind.
 *
 * Both owners keep the rules of tmtp_client.h: what is settled and what was received is durable when committed (here:
 * some turns later), an echo or a delivery is acknowledged after that, and what was lost is posted again when online.
 * Ways to cut: the connection closes; it closes and the gateway has crashed with it (its client is gone, what was not
 * committed is forgotten); the silo restarts; the line goes dead without anybody closing it.
 *
 * TLS records would hide the borders of frames, hence plain streams. tests/e2e/test_cut.py does the same with programs.
 */
#include <ftw.h>
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
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"
#include "tmtp/tmtp_silo.h"

enum {
    POSTS_MAX = 10,           /* in each direction, in each round */
    POSTS_USUAL = 3,          /* so many are enough for every kind of byte; all with POSTERN_LONG=1 */
    OPS_MAX = 64,             /* commits that wait */
    SEEN_MAX = 64,            /* ids remembered by an owner's "database"; a round has fewer */
    COMMIT_TURNS = 3,         /* a commit takes so many turns of the loop */
    IDLE_TURNS = 20,          /* turns in which nothing moves until time passes */
    TURNS_MAX = 20 * 1000,    /* of one round */
    DEAD_LINE_STEP_MS = 5000, /* time that passes at once when all wait for a dead line */
    KEY_SIZE = 40,
    ID_SIZE = 65,
};

enum cut { CUT_CLOSE, CUT_CRASH, CUT_SILO_RESTART, CUT_DEAD_LINE };
enum direction { TO_SILO, TO_GATEWAY };

/* The wire between the gateway and the silo. */
struct wire {
    struct play *play;
    struct wire *next;
    struct stream *ends[2]; /* towards the gateway, towards the silo */
    bool dead;              /* swallows everything */
};

enum op_kind { OP_SETTLE, OP_RECEIVE };
struct op { /* a commit under way */
    enum op_kind kind;
    uint64_t due; /* turn */
    size_t entry; /* OP_SETTLE */
    char msgid[ID_SIZE];
    char key[KEY_SIZE];
    bool ack;
};

enum entry_state { ENTRY_WAITING, ENTRY_POSTING, ENTRY_POSTED };
struct entry {
    char key[KEY_SIZE];
    enum entry_state state;
    uint64_t request;
    unsigned copies; /* that the other side has received */
};

struct owner {
    struct play *play;
    const char *name;
    struct owner *peer;
    struct tmtp_client *client;
    char *uid, *node;
    bool echo;
    struct entry entries[POSTS_MAX]; /* of this round */
    size_t allowed;                  /* how many of them may be posted now */
    struct op ops[OPS_MAX];
    size_t op_count;
    char seen[SEEN_MAX][ID_SIZE]; /* ring */
    size_t seen_next;
};

struct play {
    char folder[64];
    struct clock *clock;
    struct loop *loop;
    struct tmtp_silo *silo;
    struct owner gateway, member;
    struct wire *wires;
    unsigned round;
    size_t posts;   /* in each direction */
    char where[80]; /* for messages */
    enum cut cut;
    enum direction direction;
    int64_t passed[2]; /* bytes in each direction, of the first connection in this round */
    int64_t cut_after; /* -1: not armed */
    bool cutting;      /* the last byte is on its way */
    bool moved;        /* something happened in this turn */
    int quiet;         /* times in a row that nothing moved although all are online */
    int idle;          /* turns without that */
    int64_t waited_ms; /* without anything moving, in this round */
    uint64_t turn;
    int64_t connections; /* of the gateway, in this round */
};

/* --- the wire --- */

static void wire_close(struct wire *wire)
{
    stream_free(&wire->ends[0]);
    stream_free(&wire->ends[1]);
    free(wire);
}

static void wire_free(struct wire *wire)
{
    struct wire **link = &wire->play->wires;
    while (*link != wire)
        link = &(*link)->next;
    *link = wire->next;
    wire_close(wire);
}

static void free_wires(struct play *play)
{
    struct wire *wire = play->wires;
    play->wires = NULL;
    while (wire != NULL) {
        struct wire *next = wire->next;
        wire_close(wire);
        wire = next;
    }
}

/* Passes on what came, up to the byte after which the wire is cut. */
static void wire_input(struct stream *stream, void *ctx)
{
    struct wire *wire = ctx;
    struct play *play = wire->play;
    enum direction direction = stream == wire->ends[0] ? TO_SILO : TO_GATEWAY;
    struct stream *out = wire->ends[direction == TO_SILO ? 1 : 0];
    const uint8_t *data;
    size_t len;
    play->moved = true;
    while ((len = stream_peek(stream, &data)) > 0) {
        size_t pass = len;
        if (play->cut_after >= 0 && direction == play->direction) {
            int64_t left = play->cut_after - play->passed[direction];
            if ((int64_t)len >= left) {
                pass = (size_t)left;
                play->cutting = true;
            }
        }
        if (wire->dead || out == NULL)
            pass = 0;
        if (pass > 0)
            stream_write(out, data, pass);
        play->passed[direction] += (int64_t)pass;
        stream_consume(stream, len); /* what is not passed on is lost */
    }
}

/* On a dead line the silo learns nothing of the gateway's end and has to find out by itself. When it has, the gateway
 * has too: its kernel's keepalive takes as long. */
static void wire_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct wire *wire = ctx;
    (void)why, (void)detail;
    wire->play->moved = true;
    if (wire->dead && stream == wire->ends[0])
        stream_free(&wire->ends[0]);
    else
        wire_free(wire);
}

static const struct stream_callbacks wire_callbacks = { .on_input = wire_input, .on_end = wire_end };

static struct stream *connect_gateway(const struct stream_settings *settings, void *ctx)
{
    struct play *play = ctx;
    struct stream *gateway_end = NULL;
    if (play->silo == NULL)
        return NULL;
    struct wire *wire = xcalloc(1, sizeof *wire);
    wire->play = play;
    wire->next = play->wires;
    play->wires = wire;
    const struct stream_settings ours = { .callbacks = &wire_callbacks, .ctx = wire };
    stream_new_pair(play->loop, settings, &ours, &gateway_end, &wire->ends[0]);
    wire->ends[1] = tmtp_silo_attach(play->silo, &ours);
    play->connections++;
    return gateway_end;
}

static struct stream *connect_member(const struct stream_settings *settings, void *ctx)
{
    struct play *play = ctx;
    return play->silo != NULL ? tmtp_silo_attach(play->silo, settings) : NULL;
}

/* --- an owner --- */

static void add_op(struct owner *owner, const struct op *op)
{
    assert_true(owner->op_count < OPS_MAX);
    struct op *added = &owner->ops[owner->op_count++];
    *added = *op;
    added->due = owner->play->turn + COMMIT_TURNS;
}

static size_t find_entry(const struct owner *owner, const char *key)
{
    size_t i = 0;
    while (i < owner->play->posts && strcmp(owner->entries[i].key, key) != 0)
        i++;
    return i;
}

static bool has_seen(const struct owner *owner, const char *msgid)
{
    for (size_t i = 0; i < SEEN_MAX; i++)
        if (strcmp(owner->seen[i], msgid) == 0)
            return true;
    return false;
}

static void commit_receive(struct owner *owner, const struct op *op)
{
    if (has_seen(owner, op->msgid))
        return;
    snprintf(owner->seen[owner->seen_next++ % SEEN_MAX], ID_SIZE, "%s", op->msgid);
    size_t i = find_entry(owner->peer, op->key);
    if (i == owner->play->posts)
        fail_msg("%s: %s got %s, which is not of this round", owner->play->where, owner->name, op->key);
    owner->peer->entries[i].copies++;
}

/* What is due becomes durable; then it may be acknowledged. */
static void commit(struct owner *owner)
{
    size_t done = 0;
    while (done < owner->op_count && owner->ops[done].due <= owner->play->turn) {
        const struct op *op = &owner->ops[done++];
        if (op->kind == OP_RECEIVE)
            commit_receive(owner, op);
        else
            owner->entries[op->entry].state = ENTRY_POSTED;
        if (op->ack && owner->client != NULL)
            tmtp_client_ack(owner->client, op->msgid);
        owner->play->moved = true;
    }
    owner->op_count -= done;
    memmove(owner->ops, owner->ops + done, owner->op_count * sizeof owner->ops[0]);
}

static bool is_settling(const struct owner *owner, size_t entry)
{
    for (size_t i = 0; i < owner->op_count; i++)
        if (owner->ops[i].kind == OP_SETTLE && owner->ops[i].entry == entry)
            return true;
    return false;
}

static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    struct owner *owner = ctx;
    assert_null(alias_error);
    owner->uid = xstrdup(uid);
    owner->node = xstrdup(node);
    tmtp_client_account_saved(client);
}

static void on_result(struct tmtp_client *client, const struct tmtp_client_result *result, void *ctx)
{
    struct owner *owner = ctx;
    (void)client;
    if (result->error != NULL)
        fail_msg("%s was refused: %s", owner->name, result->error);
    for (size_t i = 0; i < owner->play->posts; i++) {
        if (owner->entries[i].state != ENTRY_POSTING || owner->entries[i].request != result->request)
            continue;
        if (!result->lost)
            add_op(owner, &(struct op){ .kind = OP_SETTLE, .entry = i });
        else if (!is_settling(owner, i))
            owner->entries[i].state = ENTRY_WAITING;
        return;
    }
}

static void on_echo(struct tmtp_client *client, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid, void *ctx)
{
    struct owner *owner = ctx;
    (void)client, (void)posted, (void)threadid;
    struct op op = { .kind = OP_SETTLE, .entry = find_entry(owner, queue_key), .ack = true };
    if (op.entry == owner->play->posts)
        fail_msg("%s: %s got the echo of %s, which was settled before", owner->play->where, owner->name, queue_key);
    snprintf(op.msgid, sizeof op.msgid, "%s", msgid);
    add_op(owner, &op);
}

static void on_message(struct tmtp_client *client, struct tmtp_client_delivery *delivery, void *ctx)
{
    struct owner *owner = ctx;
    char body[KEY_SIZE] = "";
    (void)client;
    assert_non_null(delivery->message);
    struct spool *content = tmtp_client_take_content(delivery);
    assert_true(spool_size(content) < KEY_SIZE);
    assert_true(spool_read(content, 0, body, sizeof body - 1) >= 0);
    spool_free(&content);
    assert_string_equal(body, delivery->message->subject); /* nothing of it was lost on the way */

    struct op op = { .kind = OP_RECEIVE, .ack = true };
    snprintf(op.msgid, sizeof op.msgid, "%s", delivery->push->id);
    snprintf(op.key, sizeof op.key, "%s", body);
    add_op(owner, &op);
}

static const struct tmtp_client_callbacks owner_callbacks = {
    .on_registered = on_registered,
    .on_result = on_result,
    .on_echo = on_echo,
    .on_message = on_message,
};

static void post(struct owner *owner, struct entry *entry)
{
    struct tmtp_message message;
    const struct tmtp_client_recipient to = { .id = owner->peer->uid };
    tmtp_message_init(&message);
    tmtp_message_set(&message.subject, entry->key);
    tmtp_message_set(&message.queue_key, entry->key);
    int fd = memfd_create("content", MFD_CLOEXEC);
    size_t len = strlen(entry->key);
    assert_int_equal(write(fd, entry->key, len), len);
    entry->request = tmtp_client_post(owner->client, &(struct tmtp_client_post){ .message = &message,
                                                                                 .recipients = &to,
                                                                                 .recipient_count = 1,
                                                                                 .content_fd = fd,
                                                                                 .content_size = (int64_t)len,
                                                                                 .echo = owner->echo });
    close(fd);
    tmtp_message_free(&message);
    if (entry->request > 0)
        entry->state = ENTRY_POSTING;
}

static void post_what_waits(struct owner *owner)
{
    if (owner->client == NULL || tmtp_client_get_state(owner->client) != TMTP_CLIENT_ONLINE)
        return;
    for (size_t i = 0; i < owner->allowed; i++)
        if (owner->entries[i].state == ENTRY_WAITING && !is_settling(owner, i))
            post(owner, &owner->entries[i]);
}

static void start_client(struct owner *owner)
{
    struct play *play = owner->play;
    bool is_gateway = owner == &play->gateway;
    owner->client = tmtp_client_new(&(struct tmtp_client_settings){
        .loop = play->loop,
        .address = "=in-memory:1",
        .pin = "sha256:0",
        .uid = owner->uid,
        .node = owner->node,
        .alias = owner->name,
        .callbacks = &owner_callbacks,
        .ctx = owner,
        .connect = is_gateway ? connect_gateway : connect_member,
        .connect_ctx = play,
    });
}

/* Its memory is gone; its database is as it was committed. */
static void crash(struct owner *owner)
{
    tmtp_client_free(&owner->client);
    owner->op_count = 0;
    for (size_t i = 0; i < owner->play->posts; i++)
        if (owner->entries[i].state == ENTRY_POSTING)
            owner->entries[i].state = ENTRY_WAITING;
}

/* --- cutting --- */

static void start_silo(struct play *play)
{
    char *error = NULL;
    play->silo = tmtp_silo_new(&(struct tmtp_silo_settings){ .loop = play->loop, .state_dir = play->folder }, &error);
    if (play->silo == NULL)
        fail_msg("%s", error);
}

static void restart_silo(struct play *play)
{
    tmtp_silo_free(&play->silo);
    loop_turn(play->loop);
    start_silo(play);
}

/* The byte is out: cut. */
static void cut(struct play *play)
{
    struct wire *wire = play->wires;
    if (wire == NULL || stream_pending_output(wire->ends[play->direction == TO_SILO ? 1 : 0]) > 0)
        return;
    play->cutting = false;
    play->cut_after = -1;
    switch (play->cut) {
    case CUT_CLOSE:
        wire_free(wire);
        break;
    case CUT_CRASH:
        wire_free(wire);
        crash(&play->gateway);
        start_client(&play->gateway);
        break;
    case CUT_SILO_RESTART:
        restart_silo(play);
        break;
    case CUT_DEAD_LINE:
        wire->dead = true;
        break;
    }
}

/* --- a round --- */

static void pass_time(struct play *play, int64_t ms)
{
    clock_advance(play->clock, ms);
    play->moved = true;
}

/* Whoever waits for the next attempt need not wait long. */
static bool skip_to_next_attempt(struct play *play, const struct owner *owner)
{
    if (owner->client == NULL)
        return false;
    int64_t next = tmtp_client_next_attempt_ms(owner->client);
    int64_t now = clock_monotonic_ms(play->clock);
    if (next <= 0 || tmtp_client_get_state(owner->client) != TMTP_CLIENT_OFFLINE)
        return false;
    pass_time(play, next > now ? next - now : 0);
    return true;
}

static bool is_online(const struct owner *owner)
{
    return owner->client != NULL && tmtp_client_get_state(owner->client) == TMTP_CLIENT_ONLINE;
}

static bool is_any_wire_dead(const struct play *play)
{
    const struct wire *wire = play->wires;
    while (wire != NULL && !wire->dead)
        wire = wire->next;
    return wire != NULL;
}

static void turn(struct play *play)
{
    static const int64_t lazy_commit_ms = 150; /* the silo's for acknowledgements; nobody waits for it */
    play->turn++;
    play->moved = false;
    loop_turn(play->loop);
    if (play->cutting)
        cut(play);
    commit(&play->gateway);
    commit(&play->member);
    post_what_waits(&play->gateway);
    post_what_waits(&play->member);
    play->idle = play->moved ? 0 : play->idle + 1;
    if (play->idle < IDLE_TURNS)
        return;
    play->idle = 0;
    bool online = is_online(&play->gateway) && is_online(&play->member) && !is_any_wire_dead(play);
    play->quiet = online ? play->quiet + 1 : 0;
    if (skip_to_next_attempt(play, &play->gateway) || skip_to_next_attempt(play, &play->member))
        return;
    int64_t step = play->cut == CUT_DEAD_LINE ? DEAD_LINE_STEP_MS : lazy_commit_ms;
    play->waited_ms += step;
    pass_time(play, step);
}

static bool all_posted(const struct owner *owner)
{
    for (size_t i = 0; i < owner->play->posts; i++)
        if (owner->entries[i].state != ENTRY_POSTED || owner->entries[i].copies == 0)
            return false;
    return owner->op_count == 0;
}

static void begin_round(struct owner *owner)
{
    struct play *play = owner->play;
    for (size_t i = 0; i < play->posts; i++) {
        owner->entries[i] = (struct entry){ .state = ENTRY_WAITING };
        snprintf(owner->entries[i].key, KEY_SIZE, "%s.%u.%zu", owner->name, play->round, i);
    }
    owner->allowed = play->posts;
}

/* Fresh login of the gateway, all messages both ways, a cut after that many bytes (-1: none). */
static void play_round(struct play *play, enum direction direction, int64_t cut_after)
{
    play->round++;
    begin_round(&play->gateway);
    begin_round(&play->member);
    play->member.allowed = play->posts / 2; /* some wait for the gateway's login, the others meet its posts */
    play->direction = direction;
    play->passed[TO_SILO] = play->passed[TO_GATEWAY] = 0;
    play->connections = 0;
    play->waited_ms = 0;
    play->cutting = false;
    play->cut_after = -1;
    crash(&play->gateway);
    for (int i = 0; i < 2 * IDLE_TURNS; i++)
        turn(play);
    free_wires(play);
    play->cut_after = cut_after;
    play->cutting = cut_after == 0;
    start_client(&play->gateway);
    for (int i = 0; i < TURNS_MAX && !(all_posted(&play->gateway) && all_posted(&play->member)); i++) {
        turn(play);
        if (play->gateway.entries[0].state != ENTRY_WAITING)
            play->member.allowed = play->posts;
    }
    /* For what comes too often, and until the silo has heard that all was received. */
    play->quiet = 0;
    for (int i = 0; i < TURNS_MAX && play->quiet < 2; i++)
        turn(play);
}

static void check_round(struct play *play, bool exactly)
{
    struct owner *owners[] = { &play->gateway, &play->member };
    for (size_t o = 0; o < 2; o++) {
        for (size_t i = 0; i < play->posts; i++) {
            const struct entry *entry = &owners[o]->entries[i];
            bool right = owners[o]->echo || exactly ? entry->copies == 1 : entry->copies >= 1;
            if (entry->state != ENTRY_POSTED || !right)
                fail_msg("%s: %s: state %d, received %u times", play->where, entry->key, (int)entry->state,
                         entry->copies);
        }
    }
    if (play->cut != CUT_DEAD_LINE && play->waited_ms > 1000)
        fail_msg("%s: something stalled for %d ms", play->where, (int)play->waited_ms);
}

/* Uncut: how many bytes there are. */
static void measure(struct play *play, int64_t total_out[2])
{
    play_round(play, TO_SILO, -1);
    check_round(play, true);
    assert_int_equal(play->connections, 1);
    memcpy(total_out, play->passed, sizeof play->passed);
    assert_true(total_out[TO_SILO] > 100 * (int64_t)play->posts && total_out[TO_GATEWAY] > 100 * (int64_t)play->posts);
}

/* Cuts after each `step`th byte in both directions; after all with POSTERN_LONG=1. */
static void cut_everywhere(struct play *play, enum cut kind, int64_t step)
{
    static const char *const names[] = { "to the silo", "to the gateway" };
    int64_t total[2];
    unsigned repetitions = 0;
    measure(play, total);
    if (getenv("POSTERN_LONG"))
        step = 1;
    play->cut = kind;
    for (int direction = TO_SILO; direction <= TO_GATEWAY; direction++) {
        for (int64_t after = 0; after < total[direction]; after += step) {
            snprintf(play->where, sizeof play->where, "cut after byte %d of %d %s", (int)after, (int)total[direction],
                     names[direction]);
            play_round(play, direction, after);
            check_round(play, false);
            assert_true(play->cut_after < 0 && !play->cutting); /* it was cut */
            for (size_t i = 0; i < play->posts; i++)
                repetitions += play->gateway.entries[i].copies - 1;
        }
    }
    play->cut = CUT_CLOSE;
    /* Without the echo some must have come twice, or this test cuts nothing that matters. */
    assert_true(play->gateway.echo ? repetitions == 0 : repetitions > 0);
}

/* --- the tests --- */

static void no_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

static void init_owner(struct play *play, struct owner *owner, struct owner *peer, const char *name)
{
    owner->play = play;
    owner->name = name;
    owner->peer = peer;
    owner->echo = true;
    start_client(owner);
    for (int i = 0; i < TURNS_MAX && tmtp_client_get_state(owner->client) != TMTP_CLIENT_ONLINE; i++)
        turn(play);
    assert_int_equal(tmtp_client_get_state(owner->client), TMTP_CLIENT_ONLINE);
}

static int set_up(void **state)
{
    struct play *play = xcalloc(1, sizeof *play);
    log_set_sink(no_log, NULL);
    /* In memory when possible: there is no power cut to survive here, and each post is synced. */
    snprintf(play->folder, sizeof play->folder, "%s/tmtp-cut-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(play->folder));
    play->clock = clock_new_fake(1000, INT64_C(1795000000000));
    play->loop = loop_new(play->clock);
    play->cut_after = -1;
    play->posts = getenv("POSTERN_LONG") ? POSTS_MAX : POSTS_USUAL;
    start_silo(play);
    play->gateway.play = play->member.play = play; /* turn() looks at both */
    play->member.client = NULL;
    init_owner(play, &play->gateway, &play->member, "Email Gateway");
    init_owner(play, &play->member, &play->gateway, "Alice Member");
    *state = play;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    struct play *play = *state;
    struct owner *owners[] = { &play->gateway, &play->member };
    for (size_t i = 0; i < 2; i++) {
        tmtp_client_free(&owners[i]->client);
        free(owners[i]->uid);
        free(owners[i]->node);
    }
    free_wires(play);
    tmtp_silo_free(&play->silo);
    loop_turn(play->loop);
    loop_free(&play->loop);
    clock_free(&play->clock);
    nftw(play->folder, remove_entry, 10, FTW_DEPTH | FTW_PHYS);
    free(play);
    return 0;
}

static void test_close_after_every_byte(void **state)
{
    cut_everywhere(*state, CUT_CLOSE, 1);
}

static void test_crash_after_every_byte(void **state)
{
    cut_everywhere(*state, CUT_CRASH, 1);
}

static void test_silo_restarts(void **state)
{
    cut_everywhere(*state, CUT_SILO_RESTART, 5);
}

static void test_line_goes_dead(void **state)
{
    cut_everywhere(*state, CUT_DEAD_LINE, 5);
}

/* At least once: that is what `echo = no` promises. */
static void test_without_echo(void **state)
{
    struct play *play = *state;
    play->gateway.echo = false;
    cut_everywhere(play, CUT_CLOSE, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_close_after_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_after_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silo_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_line_goes_dead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_echo, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
