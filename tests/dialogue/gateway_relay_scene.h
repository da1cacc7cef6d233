/* gateway_relay_scene.h - the gateway's way out, its neighbours and its administrators, as the lines of a script move them
 *
 * The real queue, database and relay of the gateway with relays of fake_relay.h, on a clock that the script moves. What the lines
 * are is said in gateway_relay_dialogue.c.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/relay.h"
#include "mapping/store.h"
#include "mapping/store_queue.h"
#include "tests/dialogue/fake_relay.h"

enum { LINE_SIZE = 4096, RELAYS_MAX = 4, MESSAGES_MAX = 64, ADDRESSES_MAX = 16 };

struct place {
    char name[32], address[200];
    struct fake_relay *relay;
    unsigned connections, attempts; /* already looked at */
};

struct message {
    char name[32];
    int64_t id;
    char *content; /* as the first relay has got it; NULL */
};

struct play {
    const char *file;
    int line;
    char folder[64], database[96];
    struct clock *clock;
    struct loop *loop;
    struct config config;
    struct config_relay relays[RELAYS_MAX];
    struct place places[RELAYS_MAX];
    size_t place_count;
    struct message messages[MESSAGES_MAX];
    size_t message_count;
    struct parts parts;
    struct relay *relay; /* the one under test; NULL until the first message */
    int64_t alice, thread;
    int64_t last_notice;
    char *notice;         /* the text of it */
    unsigned long events; /* lines of the log */
};

#define FAIL(play, ...)                                                                                                \
    do {                                                                                                               \
        print_error("%s:%d: ", (play)->file, (play)->line);                                                            \
        print_error(__VA_ARGS__);                                                                                      \
        print_error("\n");                                                                                             \
        fail();                                                                                                        \
        abort(); /* not reached: for those who read the code only */                                                   \
    } while (0)

void scene_setup(struct play *play);
void scene_teardown(struct play *play);
/* Until nothing happens any more without time going by. */
void scene_settle(struct play *play);
/* "90s", or milliseconds. */
int64_t scene_read_ms(struct play *play, const char *text);

/* The lines; words end with a NULL. */
void scene_relays(struct play *play, char **words);
void scene_connections(struct play *play, char **words);
void scene_retry(struct play *play, char **words);
void scene_up(struct play *play, char **words);
void scene_down(struct play *play, char **words);
void scene_offer(struct play *play, char **words);
void scene_answer(struct play *play, char **words);
void scene_slow(struct play *play, char **words);
void scene_message(struct play *play, char **words);
void scene_many(struct play *play, char **words);
void scene_wanting(struct play *play, char **words);
void scene_report(struct play *play, char **words);
void scene_utf8(struct play *play, char **words);
void scene_lost(struct play *play, char **words);
void scene_revoke(struct play *play, char **words);
void scene_suspend(struct play *play, char **words);
void scene_resume(struct play *play, char **words);
void scene_release(struct play *play, char **words); /* what is held and written */
void scene_hold(struct play *play, char **words);
void scene_drop(struct play *play, char **words);
void scene_probe(struct play *play, char **words);
void scene_restart(struct play *play, char **words);
void scene_pass(struct play *play, char **words);
