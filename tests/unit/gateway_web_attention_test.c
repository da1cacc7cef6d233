/* gateway_web_attention_test.c - what the overview warns of, and where it leads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/strbuf.h"
#include "gateway/web_attention.h"

#define WELL "\"silo_state\":\"online\",\"paused\":false,\"requests_waiting\":0"

static void note(enum web_tone tone, const char *text, const char *url, const char *label, void *ctx)
{
    struct strbuf *all = ctx;
    strbuf_add_fmt(all, "%s %s %s|", tone == WEB_BAD ? "BAD" : "LOOK", url ? url : "-", text);
    assert_true(!url == !label);
}

static const struct one {
    const char *name, *status, *silo;
    const char *expected[3]; /* parts, in their order */
    size_t count;
} cases[] = {
    { "all is well", "{" WELL "}", "{}", { "" }, 0 },
    { "the silo is away",
      "{\"silo_state\":\"connecting\",\"silo_error\":\"refused\",\"silo_hint\":null}",
      "{}",
      { "LOOK /#silo The silo is not reached (connecting): refused." },
      1 },
    { "the link has stopped",
      "{\"silo_state\":\"stopped\",\"silo_error\":\"gone\",\"silo_hint\":\"Do this.\"}",
      "{}",
      { "BAD /#silo The link to the silo has stopped: gone. Do this." },
      1 },
    { "another certificate",
      "{\"silo_state\":\"stopped\",\"silo_error\":\"x\"}",
      "{\"pin_refused\":\"sha256:ab\"}",
      { "BAD /#silo The silo shows another certificate", "sha256:ab" },
      1 },
    { "the alias is another's",
      "{" WELL ",\"silo_alias_error\":\"taken\"}",
      "{}",
      { "BAD /#silo", "alias: taken" },
      1 },
    { "requests", "{\"silo_state\":\"online\",\"requests_waiting\":1}", "{}", { "LOOK /requests 1 request waits" }, 1 },
    { "more requests",
      "{\"silo_state\":\"online\",\"requests_waiting\":3}",
      "{}",
      { "LOOK /requests 3 requests wait" },
      1 },
    { "paused",
      "{\"silo_state\":\"online\",\"paused\":true,\"paused_because\":\"no room\"}",
      "{}",
      { "BAD /#queues New mail is put off", "no room" },
      1 },
    { "the key of held mail",
      "{" WELL ",\"held_error\":\"its key is lost\"}",
      "{}",
      { "BAD /held", "its key is lost" },
      1 },
    { "a relay that is down comes before a request",
      "{\"silo_state\":\"online\",\"requests_waiting\":1,\"relays\":[{\"relay\":\"smtp://mx\",\"state\":\"down\","
      "\"since\":\"2026-11-26T13:04:05Z\",\"error\":\"timed out\"},{\"relay\":\"b\",\"state\":\"up\"}]}",
      "{}",
      { "BAD /queue?direction=out The relay smtp://mx", "since 2026-11-26 13:04: timed out", "LOOK /requests" },
      2 },
    { "queues",
      "{" WELL ",\"queues\":[{\"queue\":\"in\",\"pending\":2,\"held\":1,\"oldest\":\"1970-01-01T00:00:00Z\"},"
      "{\"queue\":\"out\",\"pending\":0,\"held\":0,\"oldest\":\"1970-01-01T03:00:00Z\"}]}",
      "{}",
      { "LOOK /held 2 mails are held", "LOOK /queue?direction=in&state=held 1 entry",
        "LOOK /queue?direction=in&older=1h" },
      3 },
    { "a listener that believes everybody",
      "{" WELL ",\"listeners\":[{\"listener\":\"smtp\",\"address\":\"127.0.0.1:25\",\"believes\":\"everybody "
      "(assume_authenticated)\"},{\"listener\":\"b\",\"believes\":\"own checks\"}]}",
      "{}",
      { "BAD /#listeners The listener \"smtp\" (127.0.0.1:25)" },
      1 },
    { "certificates",
      "{" WELL ",\"listeners\":[{\"listener\":\"a\",\"certificate_ends\":\"1970-01-20T00:00:00Z\"},"
      "{\"listener\":\"b\",\"certificate_ends\":\"1970-02-20T00:00:00Z\"},"
      "{\"listener\":\"c\",\"certificate_ends\":\"1970-01-01T03:00:00Z\"},{\"certificate_ends\":null}]}",
      "{}",
      { "BAD /#listeners The certificate of the listener \"c\" has ended",
        "LOOK /#listeners The certificate of the listener \"a\" ends at 1970-01-20" },
      2 },
    { "crashes", "{" WELL ",\"worker_crashes\":2,\"verify_crashes\":1}", "{}", { "since the start: 3." }, 1 },
    { "no DNS", "{" WELL ",\"dns_asked\":100,\"dns_unanswered\":51}", "{}", { "LOOK /#numbers Most questions" }, 1 },
    { "few questions say nothing", "{" WELL ",\"dns_asked\":3,\"dns_unanswered\":3}", "{}", { "" }, 0 },
    { "Postfix's list",
      "{" WELL ",\"postfix_recipients_error\":\"no room\"}",
      "{}",
      { "BAD - The list of recipients" },
      1 },
};

static void what_needs_attention_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *status = json_loads(cases[i].status, 0, NULL), *silo = json_loads(cases[i].silo, 0, NULL);
        struct strbuf all;
        assert_non_null(status);
        assert_non_null(silo);
        strbuf_init(&all, 10000);
        size_t count = web_attention_list(status, silo, INT64_C(4) * 3600 * 1000, note, &all);
        const char *at = all.data;
        for (size_t p = 0; p < 3 && cases[i].expected[p]; p++) {
            const char *found = strstr(at, cases[i].expected[p]);
            if (found)
                at = found;
            else
                fail_msg("%s: \"%s\" is not in \"%s\"", cases[i].name, cases[i].expected[p], all.data);
        }
        if (count != cases[i].count)
            fail_msg("%s: %zu warnings: %s", cases[i].name, count, all.data);
        strbuf_free(&all);
        json_decref(status);
        json_decref(silo);
    }
}

static void without_answers_nothing_breaks(void **state)
{
    (void)state;
    struct strbuf all;
    json_t *status = json_loads("{\"relays\":[{}],\"queues\":[{}],\"listeners\":[{}]}", 0, NULL);
    strbuf_init(&all, 10000);
    assert_true(web_attention_list(status, NULL, 0, note, &all) > 0);
    strbuf_free(&all);
    json_decref(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_needs_attention_is_told),
        cmocka_unit_test(without_answers_nothing_breaks),
    };
    return cmocka_run_group_tests_name("gateway_web_attention", tests, NULL, NULL);
}
