/* Whole sessions: what a client sends, how it comes in packets, and an owner and a clock that do whatever the input
 * says. The first byte is the settings; 0xff and a byte after it are something that happens. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_listener_internal.h"

enum { TURNS = 6, RECEIVED_MAX = 1 << 20 };

enum setting {
    IS_LMTP = 1,
    IS_SLOW = 2,
    IS_SMALL = 4,
    IS_STRICT = 8,
    HAS_NO_ON_MAIL = 16,
    NEEDS_TLS = 32,
    IS_PROXIED = 64,
    IS_TRUSTED = 128 /* with XCLIENT and XFORWARD */
};

struct world {
    struct clock *clock;
    struct loop *loop;
    struct smtp_listener *listener;
    struct stream *client;
    struct strbuf received;
    bool is_slow; /* the owner answers only when the input says so */
    unsigned alive;
    struct smtp_transaction *asking;
    enum { NOTHING, MAIL, RECIPIENT, MESSAGE } question;
    size_t index;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void answer(struct world *world, bool is_yes)
{
    struct smtp_reply reply = smtp_reply_make(is_yes ? 250 : 550, is_yes ? "2.0.0" : "5.7.1", "Decided");
    int question = world->question;
    world->question = NOTHING;
    if (question == MAIL)
        smtp_transaction_answer_mail(world->asking, &reply);
    if (question == RECIPIENT)
        smtp_transaction_answer_recipient(world->asking, world->index, &reply);
    if (question == MESSAGE) {
        world->alive--;
        smtp_transaction_answer_message(world->asking, &reply, 1);
    }
}

static void ask(struct world *world, struct smtp_transaction *transaction, int question, size_t index)
{
    require(world->question == NOTHING);
    if (!smtp_transaction_data(transaction)) {
        smtp_transaction_set_data(transaction, world);
        world->alive++;
    }
    world->asking = transaction;
    world->question = question;
    world->index = index;
    if (!world->is_slow)
        answer(world, true);
}

static void on_mail(struct smtp_transaction *transaction, void *ctx)
{
    ask(ctx, transaction, MAIL, 0);
}

static void on_recipient(struct smtp_transaction *transaction, size_t index, void *ctx)
{
    require(!smtp_address_is_null(smtp_transaction_recipient(transaction, index)));
    const char *orcpt = smtp_transaction_orcpt(transaction, index);
    require(!orcpt || strlen(orcpt) <= SMTP_ORCPT_MAX);
    require(strlen(smtp_transaction_envid(transaction)) <= SMTP_ENVID_MAX);
    ask(ctx, transaction, RECIPIENT, index);
}

static void on_message(struct smtp_transaction *transaction, void *ctx)
{
    require(smtp_transaction_recipient_count(transaction) > 0);
    struct spool *content = smtp_transaction_content(transaction);
    bool is_binary = smtp_transaction_body(transaction) == SMTP_BODY_BINARYMIME;
    char byte;
    char previous = '\n';
    bool is_line_empty = true;
    bool is_body = false;
    for (int64_t i = 0; i < spool_size(content); i++) {
        require(spool_read(content, i, &byte, 1) == 1);
        require((is_binary && is_body) || (byte != '\0' && (byte == '\n') == (previous == '\r')));
        is_body = is_body || (byte == '\n' && is_line_empty);
        if (byte == '\n')
            is_line_empty = true;
        else if (byte != '\r')
            is_line_empty = false;
        previous = byte;
    }
    require(previous != '\r' || (is_binary && is_body));
    ask(ctx, transaction, MESSAGE, 0);
}

static void on_abandoned(struct smtp_transaction *transaction, void *ctx)
{
    struct world *world = ctx;
    require(world->question == NOTHING);
    if (smtp_transaction_data(transaction))
        world->alive--;
}

static void on_input(struct stream *stream, void *ctx)
{
    struct world *world = ctx;
    const uint8_t *data;
    size_t len;
    while ((len = stream_peek(stream, &data)) > 0) {
        strbuf_add(&world->received, data, len);
        stream_consume(stream, len);
    }
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream, (void)why, (void)detail;
    stream_free(&((struct world *)ctx)->client);
}

static void turn(struct world *world)
{
    for (int i = 0; i < TURNS; i++)
        loop_turn(world->loop);
}

static void happen(struct world *world, uint8_t what)
{
    switch (what % 8) {
    case 0:
    case 1:
        answer(world, what % 2 == 0);
        break;
    case 2:
        clock_advance(world->clock, (int64_t)(what / 8) * 10000);
        break;
    case 3:
        stream_free(&world->client);
        break;
    case 4:
        if (world->listener)
            smtp_listener_set_busy(world->listener, what >= 128);
        break;
    case 5:
        if (world->listener)
            smtp_listener_drain(world->listener, what, NULL, NULL);
        break;
    case 6:
        if (what >= 128)
            smtp_listener_free(&world->listener);
        break;
    default: /* only a packet's end */
        break;
    }
    turn(world);
}

static void send_all(struct world *world, const uint8_t *data, size_t size)
{
    while (size > 0) {
        const uint8_t *mark = memchr(data, 0xff, size);
        size_t len = mark ? (size_t)(mark - data) : size;
        if (world->client && len > 0) {
            stream_write(world->client, data, len);
            turn(world);
        }
        data += len;
        size -= len;
        if (size >= 2)
            happen(world, data[1]);
        size_t taken = size >= 2 ? 2 : size;
        data += taken;
        size -= taken;
    }
}

/* Every line that we sent is a reply. */
static void check_replies(const struct strbuf *received)
{
    const char *line = received->data;
    const char *end;
    while ((end = strstr(line, "\r\n"))) {
        require(end - line >= 4 && end - line <= 510);
        require(line[0] >= '2' && line[0] <= '5' && (line[3] == ' ' || line[3] == '-'));
        require(!memchr(line, '\n', (size_t)(end - line)) && !memchr(line, '\r', (size_t)(end - line)));
        line = end + 2;
    }
}

static void swallow(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct smtp_server_callbacks owner = { on_mail, on_recipient, on_message, on_abandoned, NULL };
    static const struct smtp_server_callbacks indifferent = { NULL, on_recipient, on_message, on_abandoned, NULL };
    static const struct stream_callbacks client_callbacks = { .on_input = on_input, .on_end = on_end };
    static const char *const peers[] = { "192.0.2.1", NULL };
    if (size == 0 || size > 8000)
        return 0;
    log_set_sink(swallow, NULL);
    struct world world = { .is_slow = data[0] & IS_SLOW };
    world.clock = clock_new_fake(1000, 1700000000000);
    world.loop = loop_new(world.clock);
    strbuf_init(&world.received, RECEIVED_MAX);
    struct smtp_budget *budget = smtp_budget_new(data[0] & IS_SMALL ? 6000 : RECEIVED_MAX);
    struct smtp_listener_settings settings = {
        .loop = world.loop,
        .name = "fuzz",
        .lmtp = data[0] & IS_LMTP,
        .hostname = "gw.example.org",
        .tls_policy = data[0] & NEEDS_TLS ? SMTP_TLS_REQUIRE : SMTP_TLS_NONE,
        .proxies = data[0] & IS_PROXIED ? peers : NULL,
        .xclients = data[0] & IS_TRUSTED ? peers : NULL,
        .xforwards = data[0] & IS_TRUSTED ? peers : NULL,
        .recipients_max = data[0] & IS_SMALL ? 2 : 0,
        .message_max = data[0] & IS_SMALL ? 20 : 1000000,
        .errors_max = data[0] & IS_STRICT ? 2 : 1000,
        .messages_max = data[0] & IS_STRICT ? 3 : 0,
        .junk_commands_max = data[0] & IS_STRICT ? 4 : 0,
        .recipients_per_minute = data[0] & IS_STRICT ? 5 : 0,
        .budget = budget,
        .spool_dir = "/tmp",
        .callbacks = data[0] & HAS_NO_ON_MAIL ? &indifferent : &owner,
        .ctx = &world,
    };
    char *error = NULL;
    world.listener = smtp_listener_new(&settings, &error);
    require(world.listener != NULL);
    struct stream_settings client = { .callbacks = &client_callbacks, .ctx = &world };
    smtp_listener_adopt_pair(world.listener, "192.0.2.1:4711", &client, &world.client);
    send_all(&world, data + 1, size - 1);

    check_replies(&world.received);
    stream_free(&world.client);
    turn(&world);
    smtp_listener_free(&world.listener);
    answer(&world, true);
    turn(&world);
    require(world.alive == 0 && smtp_budget_held(budget) == 0);
    smtp_budget_free(&budget);
    strbuf_free(&world.received);
    loop_free(&world.loop);
    clock_free(&world.clock);
    return 0;
}
