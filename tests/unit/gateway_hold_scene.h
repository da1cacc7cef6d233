/* gateway_hold_scene.h - for the tests of hold: a store with two members, a key, and mail that is held, on a fake clock */
#pragma once
#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/background.h"
#include "base/seal.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/hold_internal.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"
#include "gateway/report.h"
#include "gateway/signed_id.h"
#include "mapping/store_audit.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"
#include "mapping/store_member.h"
#include "mapping/store_trace.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum { F = STORE_NOTIFY_FAILURE, S = STORE_NOTIFY_SUCCESS, N = STORE_NOTIFY_NEVER };
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const int64_t start = INT64_C(1795600000000);
static const uint8_t secret[32] = { 7 };
static char domain[] = "silo.example.org", hostname[] = "gw.example.org";

struct scene {
    struct store_fixture *fixture;
    struct config config;
    struct parts parts;
    struct signed_id *ids;
    char key[128];
    struct store_target alice, carol;
    unsigned opened;
    bool is_found;
    char *problem;
};

static inline int setup(void **state)
{
    return store_fixture_setup_at(state, start);
}

static inline void ignore(void *ctx)
{
    (void)ctx;
}

static inline void count_opened(void *ctx)
{
    struct scene *scene = ctx;
    scene->opened++;
}

static const struct hold_callbacks callbacks = { .on_opened = count_opened, .on_chores = ignore };

static inline int64_t now_of(const struct scene *scene)
{
    return clock_wall_ms(scene->fixture->clock);
}

static inline void open_hold(struct scene *scene)
{
    scene->parts.hold = hold_new(&scene->parts, &callbacks, scene);
    hold_start(scene->parts.hold);
}

static inline void found(const char *problem, void *ctx)
{
    struct scene *scene = ctx;
    scene->is_found = true;
    free(scene->problem);
    scene->problem = problem ? strdup(problem) : NULL;
}

static inline void find_key(struct scene *scene)
{
    scene->is_found = false;
    hold_find_key(scene->parts.hold, found, ignore, scene);
    store_fixture_wait(scene->fixture, &scene->is_found);
}

static inline struct store_target add_member(struct store_db *db, const char *alias, const char *uid)
{
    struct store_target target = { 0 };
    const char *reason;
    assert_int_equal(store_member_add(db, alias, NULL, start, &target.member_id, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, alias, uid), 1);
    return target;
}

static inline void open_scene(struct scene *scene, void **state)
{
    *scene = (struct scene){ .fixture = *state,
                             .config = { .domain = domain,
                                         .hostname = hostname,
                                         .hold = { .for_ms = INT64_C(7) * DAY },
                                         .retry = { .give_up_ms = INT64_C(30) * DAY } } };
    snprintf(scene->key, sizeof scene->key, "%s/hold.key", scene->fixture->directory);
    scene->config.hold_key = scene->key;
    scene->ids = signed_id_new(secret, domain, hostname);
    scene->parts = (struct parts){ .loop = scene->fixture->loop,
                                   .clock = scene->fixture->clock,
                                   .store = scene->fixture->store,
                                   .config = &scene->config,
                                   .background = background_new(scene->fixture->loop),
                                   .reporter = reporter_new(&scene->config, scene->ids, ignore, NULL) };
    struct store_db *db = store_fixture_borrow(scene->fixture);
    scene->alice = add_member(db, "Alice Member", "uid-alice");
    scene->carol = add_member(db, "Carol Member", "uid-carol");
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    open_hold(scene);
    find_key(scene);
    assert_null(scene->problem);
}

static inline void do_nothing(void *arg)
{
    (void)arg;
}

static inline void is_done(void *arg)
{
    *(bool *)arg = true;
}

/* Lets everybody do what is to be done now: timers, the background thread's jobs, operations, and what follows from them. */
static inline void settle(struct scene *scene)
{
    enum { STEPS = 8 }; /* expiring, unsealing, keeping, committing, each with its timer */
    for (int i = 0; i < STEPS; i++) {
        bool is_over = false;
        loop_turn(scene->fixture->loop);
        background_submit(scene->parts.background, do_nothing, is_done, is_done, &is_over);
        store_fixture_wait(scene->fixture, &is_over);
        store_fixture_wait_for_all(scene->fixture);
    }
    loop_turn(scene->fixture->loop);
}

static inline void pass(struct scene *scene, int64_t ms)
{
    clock_advance(scene->fixture->clock, ms);
    settle(scene);
}

static inline void close_scene(struct scene *scene)
{
    settle(scene);
    background_free(&scene->parts.background);
    hold_free(&scene->parts.hold);
    reporter_free(&scene->parts.reporter);
    signed_id_free(&scene->ids);
    free(scene->problem);
    assert_int_equal(scene->fixture->errors, 0);
}

/* What is held. */
struct mail {
    const char *author;
    struct store_target to; /* 0: Alice */
    unsigned notify;
    bool is_unproven, is_automatic;
    int64_t size;       /* of the content; 0: a few octets */
    int64_t request_id; /* 0: none */
    const char *sender; /* NULL: the author */
};

static inline int64_t read_content(void *ctx, int64_t offset, void *out, size_t len)
{
    (void)ctx;
    memset(out, 'a' + (int)(offset % 7), len);
    return (int64_t)len;
}

static inline int64_t hold_one(struct scene *scene, const struct mail *mail)
{
    struct store_db *db = store_fixture_borrow(scene->fixture);
    const struct seal_key *key = hold_key(scene->parts.hold);
    int64_t size = mail->size ? mail->size : 100, content_id, id;
    int fd = memfd_create("sealed", MFD_CLOEXEC);
    char key_id[SEAL_ID_SIZE];
    size_t facts_len;
    struct hold_facts facts = { .message_id = strdup("1@example.com"),
                                .subject = strdup("Hi"),
                                .references = strdup("") };
    struct strbuf text;
    strbuf_init(&text, 1000);
    hold_facts_add(&facts, &text);
    hold_facts_free(&facts);
    seal_key_id(key, key_id);
    assert_int_equal(seal_file(key, mail->author, read_content, NULL, size, fd), 1);
    struct store_draft *draft = store_draft_new_fd(scene->fixture->store, fd, seal_file_size(size));
    assert_int_equal(store_draft_keep(draft), 1);
    assert_int_equal(store_content_add(db, draft, &content_id), 1);
    struct store_inbound_new row = { .kind = STORE_INBOUND_MAIL,
                                     .sender = mail->sender ? mail->sender : mail->author,
                                     .from_address = mail->author,
                                     .is_sender_proven = !mail->is_unproven,
                                     .is_automatic = mail->is_automatic,
                                     .content_id = content_id,
                                     .size = size,
                                     .now = now_of(scene),
                                     .is_pending = true };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    struct store_inbound_recipient_new to = { .target = mail->to.member_id ? mail->to : scene->alice,
                                              .address = "alice@silo.example.org",
                                              .notify = mail->notify };
    assert_int_equal(store_inbound_add_recipient(db, id, &to), 1);
    uint8_t *sealed = seal_text(key, mail->author, text.data, text.len, &facts_len);
    uint8_t repetition[STORE_REPETITION_SIZE] = { (uint8_t)id };
    struct store_held_new held = { .author = mail->author,
                                   .domain = strchr(mail->author, '@') + 1,
                                   .target = to.target,
                                   .request_id = mail->request_id,
                                   .key_id = key_id,
                                   .proof = "dmarc=pass dkim=no assumed=no peer=no",
                                   .repetition = repetition,
                                   .facts = sealed,
                                   .facts_len = facts_len,
                                   .size = size,
                                   .expires_at = now_of(scene) + scene->config.hold.for_ms };
    assert_int_equal(store_held_add(db, id, &held), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    store_draft_free(&draft);
    close(fd);
    free(sealed);
    strbuf_free(&text);
    return id;
}

static inline enum store_queue_state state_of(struct scene *scene, int64_t id)
{
    struct store_inbound row;
    assert_int_equal(store_inbound_find(store_reader(scene->fixture->store), id, &row), 1);
    enum store_queue_state state = row.state;
    store_inbound_free(&row);
    return state;
}

/* A mapping that is as it says. */
static inline int64_t decide(struct scene *scene, const char *text, struct store_target target,
                             enum store_mapping_state state, const struct mapping_limits *limits)
{
    static const struct store_actor root = { .channel = "cli", .name = "root" };
    struct store_db *db = store_fixture_borrow(scene->fixture);
    struct mapping_change change = { .actor = &root, .reason = "", .now = now_of(scene), .hold = scene->parts.hold };
    struct mapping_result result;
    struct subject subject;
    const char *wrong;
    assert_int_equal(subject_parse(text, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    const struct mapping_wish wish = { .subject = &subject, .target = target, .limits = limits };
    assert_int_equal(
        (state == STORE_MAPPING_DENIED ? mapping_change_block : mapping_change_request)(db, &change, &wish, &result),
        1);
    int64_t id = result.mapping.id;
    mapping_result_clear(&result);
    static const enum mapping_act acts[] = { MAPPING_APPROVE, MAPPING_SUSPEND, MAPPING_REVOKE };
    size_t steps = state == STORE_MAPPING_APPROVED ? 1 : state == STORE_MAPPING_SUSPENDED ? 2 : 0;
    for (size_t i = 0; i < steps; i++) {
        assert_int_equal(mapping_change_state(db, &change, id, acts[i], NULL, &result), 1);
        mapping_result_clear(&result);
    }
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    return id;
}

static inline void give_alias(struct scene *scene, const char *address)
{
    struct store_db *db = store_fixture_borrow(scene->fixture);
    int64_t id;
    assert_int_equal(store_correspondent_ensure(db, address, start, &id), 1);
    assert_int_equal(store_correspondent_set_alias(db, id, address), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
}

static inline int64_t reports(struct scene *scene)
{
    int64_t n;
    assert_int_equal(store_queue_count(store_reader(scene->fixture->store), STORE_QUEUE_OUT, STORE_QUEUE_ROUTED, &n),
                     1);
    return n;
}

static inline void route(struct scene *scene, int64_t id)
{
    struct store_db *db = store_fixture_borrow(scene->fixture);
    assert_int_equal(store_inbound_finish(db, id, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
}
