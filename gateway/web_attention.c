/* web_attention.c - see web_attention.h */
#include "gateway/web_attention.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "gateway/web_json.h"

enum { TEXT_MAX = 4000, DNS_FEW = 20 };
static const int64_t day_ms = INT64_C(86400) * 1000;

struct looking {
    const struct json_t *status, *silo;
    int64_t now;
    enum web_tone tone; /* those of one tone at a time: the worst come first */
    size_t count;
    web_attention_each *each;
    void *ctx;
};

static void tell(struct looking *looking, enum web_tone tone, const char *url, const char *label, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void tell(struct looking *looking, enum web_tone tone, const char *url, const char *label, const char *fmt, ...)
{
    struct strbuf text;
    va_list args;
    if (tone != looking->tone)
        return;
    strbuf_init(&text, TEXT_MAX);
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    looking->count++;
    looking->each(tone, strbuf_ok(&text) ? text.data : fmt, url, label, looking->ctx);
    strbuf_free(&text);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static void look_at_silo(struct looking *looking)
{
    const struct json_t *status = looking->status;
    const char *state = or_empty(web_json_text(status, "silo_state"));
    const char *error = web_json_text(status, "silo_error"), *hint = web_json_text(status, "silo_hint");
    const char *refused_pin = looking->silo ? web_json_text(looking->silo, "pin_refused") : NULL;
    const char *alias_error = web_json_text(status, "silo_alias_error");
    if (refused_pin)
        tell(
            looking, WEB_BAD, "/#silo", "See to the silo",
            "The silo shows another certificate than the one that is pinned, and is not talked to: %s. If its operator "
            "says that this is the new one, pin it.",
            refused_pin);
    else if (strcmp(state, "stopped") == 0)
        tell(looking, WEB_BAD, "/#silo", "See to the silo", "The link to the silo has stopped: %s. %s",
             error ? error : "the log says why", or_empty(hint));
    else if (strcmp(state, "online") != 0)
        tell(looking, WEB_WARNING, "/#silo", "See to the silo",
             "The silo is not reached (%s)%s%s. Mail is taken in and waits.%s%s", state, error ? ": " : "",
             or_empty(error), hint ? " " : "", or_empty(hint));
    if (alias_error)
        tell(looking, WEB_BAD, "/#silo", "See to the silo",
             "The silo refuses the gateway's own alias: %s. Members can't ping the gateway.", alias_error);
}

static void look_at_relays(struct looking *looking)
{
    for (size_t i = 0; i < web_json_count(looking->status, "relays"); i++) {
        const struct json_t *relay = web_json_row(looking->status, "relays", i);
        const char *state = or_empty(web_json_text(relay, "state")), *error = web_json_text(relay, "error");
        if (strcmp(state, "up") != 0)
            tell(looking, strcmp(state, "down") == 0 ? WEB_BAD : WEB_WARNING, "/queue?direction=out", "See the queue",
                 "The relay %s does not take mail since %s%s%s. What members have written waits.",
                 or_empty(web_json_text(relay, "relay")), WEB_TIME(web_json_text(relay, "since")), error ? ": " : "",
                 or_empty(error));
    }
}

static void look_at_holding(struct looking *looking)
{
    const struct json_t *status = looking->status;
    const char *lost = web_json_text(status, "held_error");
    int64_t requests = web_json_number(status, "requests_waiting");
    if (web_json_is(status, "paused"))
        tell(looking, WEB_BAD, "/#queues", "See the queues", "New mail is put off, and senders try again: %s.",
             or_empty(web_json_text(status, "paused_because")));
    if (lost)
        tell(looking, WEB_BAD, "/held", "See held mail", "Held mail: %s.", lost);
    if (requests > 0)
        tell(looking, WEB_WARNING, "/requests", "Decide",
             requests == 1 ? "%" PRId64 " request waits for a decision." : "%" PRId64 " requests wait for a decision.",
             requests);
}

static void look_at_queue(struct looking *looking, const struct json_t *queue)
{
    const char *name = or_empty(web_json_text(queue, "queue")), *oldest = web_json_text(queue, "oldest");
    bool is_in = strcmp(name, "in") == 0;
    int64_t at, pending = web_json_number(queue, "pending"), held = web_json_number(queue, "held");
    if (pending > 0)
        tell(looking, WEB_WARNING, "/held", "See held mail",
             pending == 1 ? "%" PRId64 " mail is held until somebody approves of it."
                          : "%" PRId64 " mails are held until somebody approves of them.",
             pending);
    if (held > 0)
        tell(looking, WEB_WARNING, is_in ? "/queue?direction=in&state=held" : "/queue?direction=out&state=held",
             "See the queue",
             held == 1 ? "%" PRId64 " entry of the queue \"%s\" is set aside until an administrator sees to it."
                       : "%" PRId64 " entries of the queue \"%s\" are set aside until an administrator sees to them.",
             held, name);
    if (oldest && clock_parse_rfc3339(oldest, &at) == 1 && looking->now - at > WEB_ATTENTION_OLD_MS)
        tell(looking, WEB_WARNING, is_in ? "/queue?direction=in&older=1h" : "/queue?direction=out&older=1h",
             "See the queue", "What has waited for longest in the queue \"%s\" is there since %s.", name,
             WEB_TIME(oldest));
}

static void look_at_listeners(struct looking *looking)
{
    for (size_t i = 0; i < web_json_count(looking->status, "listeners"); i++) {
        const struct json_t *listener = web_json_row(looking->status, "listeners", i);
        const char *believes = or_empty(web_json_text(listener, "believes"));
        if (strncmp(believes, "everybody", 9) == 0)
            tell(looking, WEB_BAD, "/#listeners", "See the listeners",
                 "The listener \"%s\" (%s) believes %s: whoever reaches it can write in anybody's name.",
                 or_empty(web_json_text(listener, "listener")), or_empty(web_json_text(listener, "address")), believes);
    }
}

static void look_at_certificates(struct looking *looking)
{
    for (size_t i = 0; i < web_json_count(looking->status, "listeners"); i++) {
        const struct json_t *listener = web_json_row(looking->status, "listeners", i);
        const char *name = or_empty(web_json_text(listener, "listener")),
                   *ends = web_json_text(listener, "certificate_ends");
        int64_t at;
        if (!ends || clock_parse_rfc3339(ends, &at) != 1)
            continue;
        if (at <= looking->now)
            tell(looking, WEB_BAD, "/#listeners", "See the listeners",
                 "The certificate of the listener \"%s\" has ended at %s: mail servers that look at it do not deliver.",
                 name, WEB_TIME(ends));
        else if (at - looking->now < WEB_ATTENTION_CERTIFICATE_DAYS * day_ms)
            tell(looking, WEB_WARNING, "/#listeners", "See the listeners",
                 "The certificate of the listener \"%s\" ends at %s. Put a new one in its place, and reload.", name,
                 WEB_TIME(ends));
    }
}

static void look_at_workers(struct looking *looking)
{
    const struct json_t *status = looking->status;
    int64_t crashes = web_json_number(status, "worker_crashes"), checks = web_json_number(status, "verify_crashes");
    int64_t asked = web_json_number(status, "dns_asked"), unanswered = web_json_number(status, "dns_unanswered");
    const char *recipients = web_json_text(status, "postfix_recipients_error");
    if (crashes + checks > 0)
        tell(looking, WEB_WARNING, "/#numbers", "See the numbers",
             "Crashes of workers that read mail since the start: %" PRId64
             ". No mail is lost by that; the log says which it was.",
             crashes + checks);
    if (asked >= DNS_FEW && unanswered * 2 > asked)
        tell(looking, WEB_WARNING, "/#numbers", "See the numbers",
             "Most questions to the DNS were not answered: senders can't be proven, and their mail is put off.");
    if (recipients)
        tell(looking, WEB_BAD, NULL, NULL, "The list of recipients for Postfix could not be written: %s.", recipients);
}

size_t web_attention_list(const struct json_t *status, const struct json_t *silo, int64_t now, web_attention_each *each,
                          void *ctx)
{
    static const enum web_tone tones[] = { WEB_BAD, WEB_WARNING };
    struct looking looking = { .status = status, .silo = silo, .now = now, .each = each, .ctx = ctx };
    for (size_t i = 0; i < sizeof tones / sizeof tones[0]; i++) {
        looking.tone = tones[i];
        look_at_silo(&looking);
        look_at_listeners(&looking);
        look_at_certificates(&looking);
        look_at_holding(&looking);
        look_at_relays(&looking);
        for (size_t q = 0; q < web_json_count(status, "queues"); q++)
            look_at_queue(&looking, web_json_row(status, "queues", q));
        look_at_workers(&looking);
    }
    return looking.count;
}
