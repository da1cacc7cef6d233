/* gateway_relay_scene.c - see gateway_relay_scene.h */
#include "tests/dialogue/gateway_relay_scene.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "gateway/signed_id.h"
#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"

enum { TURNS = 20 };

static void count_event(enum log_level level, const char *line, void *ctx)
{
    struct play *play = ctx;
    (void)level;
    play->events++;
    if (getenv("POSTERN_LOG"))
        fprintf(stderr, "%s\n", line);
}

/* --- the gateway --- */

/* Until nothing happens any more without time going by. */
void scene_settle(struct play *play)
{
    unsigned long before;
    do {
        before = play->events;
        for (int i = 0; i < TURNS || (play->parts.store && store_pending(play->parts.store) > 0); i++)
            loop_turn(play->loop);
    } while (play->events != before);
}

static void on_notice(void *ctx)
{
    (void)ctx;
}

static void start_gateway(struct play *play)
{
    static const uint8_t secret[32] = "for tests";
    char *error = NULL;
    play->parts = (struct parts){ .loop = play->loop, .clock = play->clock, .config = &play->config };
    play->parts.store = store_open(play->loop, play->database, &error);
    if (!play->parts.store)
        FAIL(play, "no database: %s", error);
    play->parts.background = background_new(play->loop);
    play->parts.ids = signed_id_new(secret, play->config.domain, play->config.hostname);
    play->relay = relay_new(&play->parts, on_notice, play, &error);
    if (!play->relay)
        FAIL(play, "no relay: %s", error);
    relay_open(play->relay, true);
    scene_settle(play);
}

/* As gateway_free() does it. */
static void stop_gateway(struct play *play)
{
    if (!play->relay)
        return;
    relay_open(play->relay, false);
    store_close(&play->parts.store);
    background_free(&play->parts.background);
    relay_free(&play->relay);
    signed_id_free(&play->parts.ids);
}

struct change {
    struct play *play;
    int (*run)(struct store_db *db, struct play *play, void *arg);
    void *arg;
    int result;
    bool is_done;
};

static int run_change(struct store_db *db, void *arg)
{
    struct change *change = arg;
    return change->run(db, change->play, change->arg);
}

static void change_done(int result, void *arg)
{
    struct change *change = arg;
    change->result = result;
    change->is_done = true;
}

static void change_database(struct play *play, int (*run)(struct store_db *, struct play *, void *), void *arg)
{
    struct change change = { .play = play, .run = run, .arg = arg };
    if (!play->relay)
        start_gateway(play);
    store_submit(play->parts.store, run_change, change_done, &change);
    while (!change.is_done)
        loop_turn(play->loop);
    if (change.result != 1)
        FAIL(play, "the database was not changed");
}

/* --- the lines of a script: the world --- */

int64_t scene_read_ms(struct play *play, const char *text)
{
    int64_t ms = 0;
    if (text && strspn(text, "0123456789") == strlen(text))
        return strtoll(text, NULL, 10);
    if (!text || config_parse_duration(text, &ms) != 1)
        FAIL(play, "a time is missing: %s", text ? text : "");
    return ms;
}

void scene_relays(struct play *play, char **words)
{
    for (; *words; words++) {
        struct place *place = &play->places[play->place_count];
        assert_true(play->place_count < RELAYS_MAX);
        snprintf(place->name, sizeof place->name, "%s", *words);
        snprintf(place->address, sizeof place->address, "unix:%s/%s", play->folder, *words);
        place->relay = fake_relay_new(play->loop, place->address);
        fake_relay_listen(place->relay, true);
        play->relays[play->place_count++] = (struct config_relay){
            .url = place->name, .kind = CONFIG_RELAY_SMTP, .target = place->address, .max_connections = 2
        };
    }
    play->config.relay_count = play->place_count;
}

void scene_connections(struct play *play, char **words)
{
    for (size_t i = 0; i < play->place_count; i++)
        play->relays[i].max_connections = (unsigned)strtoul(words[0], NULL, 10);
}

void scene_retry(struct play *play, char **words)
{
    play->config.retry.first_ms = scene_read_ms(play, words[0]);
    play->config.retry.longest_ms = scene_read_ms(play, words[1]);
    play->config.retry.give_up_ms = scene_read_ms(play, words[2]);
    play->config.retry.warn_after_ms = scene_read_ms(play, words[3]);
}

static struct place *find_place(struct play *play, const char *name)
{
    for (size_t i = 0; name && i < play->place_count; i++)
        if (strcmp(play->places[i].name, name) == 0)
            return &play->places[i];
    return NULL;
}

static struct place *need_place(struct play *play, const char *name)
{
    struct place *place = find_place(play, name);
    if (!place)
        FAIL(play, "there is no relay %s", name ? name : "");
    return place;
}

void scene_up(struct play *play, char **words)
{
    fake_relay_listen(need_place(play, words[0])->relay, true);
}

void scene_down(struct play *play, char **words)
{
    fake_relay_listen(need_place(play, words[0])->relay, false);
}

void scene_offer(struct play *play, char **words)
{
    struct place *place = need_place(play, words[0]);
    fake_relay_offer(place->relay, words[1] ? words[1] : "8BITMIME");
}

void scene_answer(struct play *play, char **words)
{
    if (!words[1] || !words[2] || !fake_relay_answer(need_place(play, words[0])->relay, words[1], words[2]))
        FAIL(play, "who answers what, where?");
}

void scene_slow(struct play *play, char **words)
{
    if (!words[1] || !fake_relay_slow(need_place(play, words[0])->relay, words[1], scene_read_ms(play, words[2])))
        FAIL(play, "who is slow where?");
}

/* --- messages --- */

static int add_people(struct store_db *db, struct play *play, void *arg)
{
    const char *reason;
    (void)arg;
    if (store_member_add(db, "Alice Member", NULL, 0, &play->alice, &reason) != 1)
        return -1;
    return store_thread_add(db, NULL, "Plans", 0, &play->thread);
}

struct new_message {
    char **words; /* addresses */
    enum store_outbound_kind kind;
    bool wants_reports, is_smtputf8, is_lost;
    unsigned count; /* 0: one */
    const char *name;
    int64_t id;
};

static int add_content(struct store_db *db, const char *text, int64_t *id_out)
{
    FILE *file = tmpfile();
    fputs(text, file);
    fflush(file);
    int result = store_content_add_fd(db, fileno(file), (int64_t)strlen(text), id_out);
    fclose(file);
    return result;
}

static int open_door(struct store_db *db, struct play *play, int64_t correspondent_id, int64_t now)
{
    int64_t id;
    struct store_mapping_new mapping = {
        .correspondent_id = correspondent_id,
        .target.member_id = play->alice,
        .state = STORE_MAPPING_APPROVED,
        .direction = STORE_DIRECTION_BOTH,
        .note = "",
        .actor = "admin",
        .reason = "",
        .now = now,
    };
    return store_mapping_add(db, &mapping, &id) < 0 ? -1 : 1; /* 0: open already */
}

static int add_recipient(struct store_db *db, struct play *play, const struct new_message *message, const char *address,
                         int64_t now)
{
    int64_t id;
    if (message->kind == STORE_OUTBOUND_REPORT)
        return store_outbound_add_address(db, message->id, address);
    if (store_correspondent_ensure(db, address, now, &id) != 1 || open_door(db, play, id, now) != 1)
        return -1;
    return store_outbound_add_recipient(db, message->id, id, 0);
}

static int add_message(struct store_db *db, struct play *play, struct new_message *message)
{
    int64_t now = clock_wall_ms(play->clock), content, mail;
    char text[200];
    bool is_report = message->kind == STORE_OUTBOUND_REPORT;
    snprintf(text, sizeof text, "Message-ID: <%s@gw.example.org>\r\n\r\nHello.\r\n", message->name);
    if (add_content(db, "Hello.", &content) != 1 || add_content(db, text, &mail) != 1)
        return -1;
    struct store_outbound_new row = {
        .kind = message->kind,
        .tmtp_msgid = is_report ? "" : message->name,
        .thread_id = is_report ? 0 : play->thread,
        .member_id = is_report ? 0 : play->alice,
        .author_uid = "UIDALICE",
        .author_alias = "Alice Member",
        .message_id = message->name,
        .head = "{\"subject\":\"Plans\"}",
        .content_id = content,
        .size = 6,
        .posted_at = now,
        .now = now,
        .wants_reports = message->wants_reports,
    };
    if (store_outbound_add(db, &row, &message->id) != 1)
        return -1;
    for (char **word = message->words; *word; word++)
        if (add_recipient(db, play, message, *word, now) != 1)
            return -1;
    if (store_outbound_set_mail(db, message->id, mail, (int64_t)strlen(text), false, message->is_smtputf8, "") != 1)
        return -1;
    return message->is_lost ? store_content_erase(db, mail) : 1;
}

static int add_messages(struct store_db *db, struct play *play, void *arg)
{
    struct new_message *message = arg;
    int result = add_message(db, play, message);
    for (unsigned i = 1; i < message->count && result == 1; i++)
        result = add_message(db, play, message);
    return result;
}

static void take_message(struct play *play, char **words, struct new_message new)
{
    struct message *message = &play->messages[play->message_count++];
    assert_true(play->message_count <= MESSAGES_MAX);
    if (!words[0] || !words[1] || strcmp(words[1], "to") != 0)
        FAIL(play, "expected NAME to ADDRESS ...");
    new.words = words + 2;
    new.name = words[0];
    if (!play->alice)
        change_database(play, add_people, NULL);
    snprintf(message->name, sizeof message->name, "%s", words[0]);
    change_database(play, add_messages, &new);
    message->id = new.id;
    relay_poke(play->relay);
    scene_settle(play);
}

void scene_message(struct play *play, char **words)
{
    take_message(play, words, (struct new_message){ .kind = STORE_OUTBOUND_MESSAGE });
}

/* COUNT of them, of the same name. */
void scene_many(struct play *play, char **words)
{
    unsigned count = words[0] ? (unsigned)strtoul(words[0], NULL, 10) : 0;
    take_message(play, words + 1, (struct new_message){ .count = count });
}

void scene_wanting(struct play *play, char **words)
{
    take_message(play, words, (struct new_message){ .wants_reports = true });
}

void scene_report(struct play *play, char **words)
{
    take_message(play, words, (struct new_message){ .kind = STORE_OUTBOUND_REPORT });
}

void scene_utf8(struct play *play, char **words)
{
    take_message(play, words, (struct new_message){ .is_smtputf8 = true });
}

void scene_lost(struct play *play, char **words)
{
    take_message(play, words, (struct new_message){ .is_lost = true });
}

/* --- administrators --- */

struct mapping_change {
    const char *address;
    enum store_mapping_state state;
};

static int change_mapping(struct store_db *db, struct play *play, void *arg)
{
    const struct mapping_change *change = arg;
    struct store_mapping mapping;
    enum store_mapping_state was;
    const struct store_target target = { .member_id = play->alice };
    if (store_mapping_find_current(db, change->address, target, &mapping) != 1)
        return -1;
    int result = store_mapping_set_state(db, mapping.id, change->state, "admin", "", clock_wall_ms(play->clock), &was);
    store_mapping_free(&mapping);
    return result;
}

void scene_revoke(struct play *play, char **words)
{
    change_database(play, change_mapping, &(struct mapping_change){ words[0], STORE_MAPPING_REVOKED });
}

void scene_suspend(struct play *play, char **words)
{
    change_database(play, change_mapping, &(struct mapping_change){ words[0], STORE_MAPPING_SUSPENDED });
}

void scene_resume(struct play *play, char **words)
{
    change_database(play, change_mapping, &(struct mapping_change){ words[0], STORE_MAPPING_APPROVED });
}

static int64_t find_message(struct play *play, const char *name)
{
    for (size_t i = 0; name && i < play->message_count; i++)
        if (strcmp(play->messages[i].name, name) == 0)
            return play->messages[i].id;
    FAIL(play, "there is no message %s", name ? name : "");
    return 0;
}

static int hold(struct store_db *db, struct play *play, void *arg)
{
    const int64_t *id = arg;
    (void)play;
    return store_outbound_set_state(db, *id, STORE_QUEUE_HELD, "held by an administrator");
}

static int drop(struct store_db *db, struct play *play, void *arg)
{
    const int64_t *id = arg;
    (void)play;
    return store_outbound_finish(db, *id, STORE_QUEUE_DROPPED);
}

static int release(struct store_db *db, struct play *play, void *arg)
{
    const int64_t *id = arg;
    (void)play;
    return store_outbound_set_state(db, *id, STORE_QUEUE_ROUTED, "");
}

void scene_release(struct play *play, char **words)
{
    int64_t id = find_message(play, words[0]);
    change_database(play, release, &id);
    relay_poke(play->relay);
    scene_settle(play);
}

void scene_hold(struct play *play, char **words)
{
    int64_t id = find_message(play, words[0]);
    change_database(play, hold, &id);
}

void scene_drop(struct play *play, char **words)
{
    int64_t id = find_message(play, words[0]);
    change_database(play, drop, &id);
}

void scene_probe(struct play *play, char **words)
{
    (void)words;
    relay_probe_now(play->relay);
    scene_settle(play);
}

void scene_restart(struct play *play, char **words)
{
    (void)words;
    stop_gateway(play);
    scene_settle(play);
    start_gateway(play);
}

/* --- time --- */

static void earlier(int64_t *soonest, int64_t in)
{
    if (in >= 0 && in < *soonest)
        *soonest = in;
}

/* ms until something falls due: an entry, a probe, an answer of a relay. */
static int64_t next_event_in(struct play *play, int64_t at_most)
{
    int64_t soonest = at_most, at, now = clock_wall_ms(play->clock);
    if (store_queue_next_due(store_reader(play->parts.store), STORE_QUEUE_OUT, now, &at) == 1)
        earlier(&soonest, at - now);
    for (size_t i = 0; i < play->place_count; i++) {
        struct relay_status status;
        relay_get_status(play->relay, i, &status);
        earlier(&soonest, status.probe_in_ms > 0 ? status.probe_in_ms : -1); /* 0: when a message is due */
        earlier(&soonest, fake_relay_answers_in(play->places[i].relay));
    }
    return soonest > 0 ? soonest : 1;
}

void scene_pass(struct play *play, char **words)
{
    int64_t left = scene_read_ms(play, words[0]);
    scene_settle(play);
    while (left > 0) {
        unsigned long before = play->events;
        int64_t step = next_event_in(play, left);
        clock_advance(play->clock, step);
        left -= step;
        scene_settle(play);
        /* What comes of it may take a few short timers more. */
        for (int i = 0; i < 20 && left > 100 && play->events != before; i++) {
            before = play->events;
            clock_advance(play->clock, 100);
            left -= 100;
            scene_settle(play);
        }
    }
}

static int remove_file(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

void scene_setup(struct play *play)
{
    static char domain[] = "silo.example.org", hostname[] = "gw.example.org";
    snprintf(play->folder, sizeof play->folder, "/tmp/postern-relay-XXXXXX");
    assert_non_null(mkdtemp(play->folder));
    snprintf(play->database, sizeof play->database, "%s/postern.db", play->folder);
    play->clock = clock_new_fake(1000000, 1700000000000);
    play->loop = loop_new(play->clock);
    play->config = (struct config){ .domain = domain, .hostname = hostname, .relays = play->relays };
    play->config.retry.first_ms = INT64_C(60) * 1000;
    play->config.retry.longest_ms = INT64_C(4) * 3600 * 1000;
    play->config.retry.give_up_ms = INT64_C(5) * 24 * 3600 * 1000;
    play->config.retry.warn_after_ms = INT64_C(4) * 3600 * 1000;
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_sink(count_event, play);
}

void scene_teardown(struct play *play)
{
    stop_gateway(play);
    for (size_t i = 0; i < play->place_count; i++)
        fake_relay_free(&play->places[i].relay);
    scene_settle(play);
    loop_free(&play->loop);
    clock_free(&play->clock);
    log_set_sink(NULL, NULL);
    for (size_t i = 0; i < play->message_count; i++)
        free(play->messages[i].content);
    free(play->notice);
    nftw(play->folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}
