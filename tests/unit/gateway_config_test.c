/* gateway_config_test.c - the configuration file: what is accepted, and what every mistake is called */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/tls.h"
#include "gateway/config.h"

#define PEER_PIN "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PEER_PIN_COLONS                                                                                                \
    "sha256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
#define GOOD_REST                                                                                                      \
    "hostname = \"gw.example.org\"\nsilo { address = \"=127.0.0.1:4433\" }\n"                                          \
    "listen smtp { address = \"127.0.0.1:2525\" }\nrelay { url = \"maildir:/tmp/out\" }\n"

#define TEN_BYTES "0123456789"
#define PATH_107                                                                                                       \
    TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES "0123456"

static struct config *load(const char *text, struct strbuf *problems, char path_out[32])
{
    snprintf(path_out, 32, "/tmp/postern-conf-XXXXXX");
    int fd = mkstemp(path_out);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct config *config = config_load(path_out, problems);
    unlink(path_out);
    return config;
}

static void test_defaults_and_values(void **state)
{
    (void)state;
    char path[32];
    struct strbuf problems;
    strbuf_init(&problems, 10000);
    struct config *config =
        load("# a comment with \"quotes\" and }\ndomain = \"silo.example.org\" // more\n/* and\nmore */\n" GOOD_REST
             "listen lmtp { address = \"unix:/tmp/x\" protocol = lmtp clients = { \"10.0.0.0/8\", \"::1\" }\n"
             "  trust_authserv_id = \"mx.example.org\" max_sessions = 7\n"
             "  proxy_protocol = { \"192.0.2.0/24\", \"unix\" }\n"
             "  xclient = { \"192.0.2.1\" } xforward = { \"unix\" } }\n"
             "policy { max_message = \"2M\" proof = dkim local_parts = sensitive }\nretry { first = \"30s\" give_up = "
             "\"7d\" }\nlog { level = "
             "debug }\n"
             "postfix { socketmap = \"127.0.0.1:2527\" policy = \"unix:/run/p\" policy_match = domain\n"
             "  recipients_db = \"/run/r.db\" clients = { \"::1\" } }\n",
             &problems, path);
    assert_string_equal(problems.data, "");
    assert_non_null(config);
    assert_string_equal(config->domain, "silo.example.org");
    assert_string_equal(config->state_dir, "/var/lib/postern");
    assert_string_equal(config->silo.alias, "Email Gateway");
    assert_true(config->silo.echo);
    assert_int_equal(config->silo.retry_longest_ms, 5 * 60 * 1000);
    assert_int_equal(config->listener_count, 2);
    assert_false(config->listeners[0].lmtp);
    assert_true(config->listeners[1].lmtp);
    assert_string_equal(config->listeners[1].clients[1], "::1");
    assert_null(config->listeners[1].clients[2]);
    assert_null(config->listeners[0].proxy_protocol);
    assert_string_equal(config->listeners[1].proxy_protocol[0], "192.0.2.0/24");
    assert_string_equal(config->listeners[1].proxy_protocol[1], "unix");
    assert_null(config->listeners[1].proxy_protocol[2]);
    assert_null(config->listeners[0].xclient);
    assert_null(config->listeners[0].xforward);
    assert_string_equal(config->listeners[1].xclient[0], "192.0.2.1");
    assert_string_equal(config->listeners[1].xforward[0], "unix");
    assert_int_equal(config->listeners[1].max_sessions, 7);
    assert_int_equal(config->listeners[1].max_sessions_per_client, 100);
    assert_string_equal(config->listeners[0].exempt[0], "127.0.0.0/8");
    assert_string_equal(config->listeners[0].exempt[1], "::1");
    assert_null(config->listeners[0].exempt[2]);
    assert_int_equal(config->listeners[0].connections_per_minute, 600);
    assert_int_equal(config->listeners[0].messages_per_minute, 0);
    assert_int_equal(config->listeners[0].recipients_per_minute, 0);
    assert_int_equal(config->listeners[0].max_messages, 1000);
    assert_int_equal(config->listeners[0].max_junk_commands, 100);
    assert_int_equal(config->listeners[0].max_recipients, 1000);
    assert_int_equal(config->listeners[0].max_errors, 20);
    assert_int_equal(config->listeners[0].command_timeout_ms, 5 * 60 * 1000);
    assert_int_equal(config->listeners[0].data_timeout_ms, 3 * 60 * 1000);
    assert_int_equal(config->listeners[0].greet_delay_ms, 0);
    assert_int_equal(config->session_memory, 256 << 20);
    assert_string_equal(config->listeners[1].trust_authserv_id, "mx.example.org");
    assert_int_equal(config->relays[0].kind, CONFIG_RELAY_MAILDIR);
    assert_string_equal(config->relays[0].target, "/tmp/out");
    assert_int_equal(config->policy.max_message, 2 << 20);
    assert_int_equal(config->policy.proof, CONFIG_PROOF_DKIM);
    assert_int_equal(config->policy.local_parts, SMTP_CASE_KEPT);
    assert_int_equal(config->policy.automatic_per_hour, 60);
    assert_int_equal(config->retry.first_ms, 30000);
    assert_int_equal(config->retry.longest_ms, 4 * 3600 * 1000);
    assert_int_equal(config->retry.give_up_ms, INT64_C(7) * 86400 * 1000);
    assert_int_equal(config->log.level, LOG_LEVEL_DEBUG);
    assert_string_equal(config->mail.from_name, "{alias} via {domain}");
    assert_int_equal(config->content.body, CONFIG_BODY_AUTO);
    assert_int_equal(config->content.quote, CONFIG_QUOTE_FOLD);
    assert_false(config->content.quotes_answered);
    assert_true(config->content.names_others);
    assert_int_equal(config->dkim_count, 0);
    assert_string_equal(config->postfix.socketmap, "127.0.0.1:2527");
    assert_string_equal(config->postfix.policy, "unix:/run/p");
    assert_int_equal(config->postfix.policy_match, CONFIG_MATCH_DOMAIN);
    assert_string_equal(config->postfix.recipients_db, "/run/r.db");
    assert_string_equal(config->postfix.clients[0], "::1");
    assert_null(config->postfix.clients[1]);
    config_free(&config);
    assert_null(config);
    strbuf_free(&problems);
}

static void test_content(void **state)
{
    (void)state;
    struct strbuf problems;
    char path[32];
    strbuf_init(&problems, 4096);
    struct config *config =
        load("domain = \"d.example\"\n" GOOD_REST "content { body = html quote = keep answered = short others = no }\n",
             &problems, path);
    assert_string_equal(problems.data, "");
    assert_int_equal(config->content.body, CONFIG_BODY_HTML);
    assert_int_equal(config->content.quote, CONFIG_QUOTE_KEEP);
    assert_true(config->content.quotes_answered);
    assert_false(config->content.names_others);
    config_free(&config);
    strbuf_free(&problems);
}

static void test_admins(void **state)
{
    (void)state;
    struct strbuf problems;
    char path[32];
    strbuf_init(&problems, 4096);
    struct config *config = load("domain = \"d.example\"\n" GOOD_REST
                                 "policy { admins = { \"Alice Admin\", \"Bernd Ältester\" } requests_per_day = 3 }\n",
                                 &problems, path);
    assert_string_equal(problems.data, "");
    assert_string_equal(config->policy.admins[0], "Alice Admin");
    assert_string_equal(config->policy.admins[1], "Bernd Ältester");
    assert_null(config->policy.admins[2]);
    assert_int_equal(config->policy.requests_per_day, 3);
    config_free(&config);
    config = load("domain = \"d.example\"\n" GOOD_REST, &problems, path);
    assert_null(config->policy.admins);
    assert_int_equal(config->policy.requests_per_day, 20);
    config_free(&config);
    strbuf_free(&problems);
}

/* As the seals have them. */
static void test_sealers(void **state)
{
    (void)state;
    struct strbuf problems;
    char path[32];
    strbuf_init(&problems, 4096);
    struct config *config = load("domain = \"d.example\"\n" GOOD_REST
                                 "policy { trust_arc_sealers = { \"Lists.example.\", \"bücher.example\" } }\n",
                                 &problems, path);
    assert_string_equal(problems.data, "");
    assert_string_equal(config->policy.trust_arc_sealers[0], "lists.example");
    assert_string_equal(config->policy.trust_arc_sealers[1], "xn--bcher-kva.example");
    assert_null(config->policy.trust_arc_sealers[2]);
    config_free(&config);
    strbuf_free(&problems);
}

/* Rates; not those of listeners and the system, which test_limits is about. */
static void test_quotas(void **state)
{
    (void)state;
    struct strbuf problems;
    char path[32];
    strbuf_init(&problems, 4096);
    struct config *config = load("domain = \"d.example\"\n" GOOD_REST
                                 "limits { in_correspondent = \"10/m, 3 at once\" in_domain = none guesses = 0\n"
                                 "  in_correspondent_size = \"64M/h\" out_member = \"7/d\" }\n",
                                 &problems, path);
    assert_string_equal(problems.data, "");
    const struct bucket_rate *rates = config->limits.quotas.of;
    assert_int_equal(rates[QUOTA_IN_AUTHOR].amount, 10);
    assert_int_equal(rates[QUOTA_IN_AUTHOR].burst, 3);
    assert_int_equal(rates[QUOTA_IN_AUTHOR].period_us, 60 * 1000000);
    assert_int_equal(rates[QUOTA_IN_AUTHOR_SIZE].amount, 64 * 1024);
    assert_int_equal(rates[QUOTA_IN_DOMAIN].amount, 0);
    assert_int_equal(rates[QUOTA_IN_MEMBER].amount, 5000);
    assert_int_equal(rates[QUOTA_IN_ALL].amount, 100000);
    assert_int_equal(rates[QUOTA_OUT_AUTHOR].amount, 7);
    assert_int_equal(rates[QUOTA_OUT_CORRESPONDENT].amount, 2000);
    assert_int_equal(rates[QUOTA_OUT_DOMAIN].amount, 20000);
    assert_int_equal(rates[QUOTA_OUT_ALL].amount, 100000);
    assert_int_equal(config->limits.guesses, 0);
    config_free(&config);
    config = load("domain = \"d.example\"\n" GOOD_REST, &problems, path);
    assert_int_equal(config->limits.quotas.of[QUOTA_IN_AUTHOR].amount, 2000);
    assert_int_equal(config->limits.quotas.of[QUOTA_IN_AUTHOR_SIZE].amount, 1 << 20);
    assert_int_equal(config->limits.guesses, 20);
    config_free(&config);
    strbuf_free(&problems);
}

struct mistake {
    const char *text;
    int line;         /* 0: about the file as a whole */
    const char *says; /* part of the message */
};

static const struct mistake mistakes[] = {
    { "domain = \"d.example\"\ninvitation { file = \"invitation\" }\n" GOOD_REST, 2, "expected an absolute path" },
    { "domain = \"d.example\"\ninvitation { file = \"/nowhere/text\" }\n" GOOD_REST, 2, "No such file" },
    { "domain = \"d.example\"\ninvitation { file = \"/tmp\" }\n" GOOD_REST, 2, "Is a directory" },
    { "domain = \"d.example\"\ninvitation { file = \"/dev/null\" }\n" GOOD_REST, 2, "line 1: expected \"Subject: \"" },
    { "domain = \"d.example\"\ninvitation { file = \"/dev/zero\" }\n" GOOD_REST, 2, "too long" },
    { "domain = \"d.example\"\nmail { from_name = \"Acme\" }\n" GOOD_REST, 2, "expected a name such as" },
    { "domain = \"d.example\"\nmail { from_name = \"{alias}@{domain}\" }\n" GOOD_REST, 2, "without \"@\"" },
    { "domain = \"d.example\"\ncontent { body = pdf }\n" GOOD_REST, 2, "expected auto, text or html" },
    { "domain = \"d.example\"\ncontent { quote = drop }\n" GOOD_REST, 2, "expected fold or keep" },
    { "domain = \"d.example\"\ncontent { answered = all }\n" GOOD_REST, 2, "expected none or short" },
    { "domain = \"d.example\"\ndkim { selector = \"a b\" }\n" GOOD_REST, 2, "expected letters, digits and \"-\"" },
    { "domain = \"d.example\"\ndkim { selector = \"-\" }\n" GOOD_REST, 2, "expected letters, digits and \"-\"" },
    { "domain = \"d.example\"\ndkim { key = \"key.pem\" }\n" GOOD_REST, 2, "expected an absolute path" },
    { "domain = \"d.example\"\ndkim { key = \"/nowhere/key.pem\" }\n" GOOD_REST, 2, "/nowhere/key.pem can't be read" },
    { "domain = \"d.example\"\ndkim { key = \"/dev/null\" }\n" GOOD_REST, 2, "not a regular file" },
    { "domain = \"d.example\"\ndkim { selector = \"s\" }\n" GOOD_REST, 0, "selector and key are needed" },
    { "domain = \"d.example\"\ndkim { domain = \"e.d.example\" }\n" GOOD_REST, 0, "or a domain above it" },
    { "domain = \"d.example\"\ndkim { domain = \"ample\" }\n" GOOD_REST, 0, "or a domain above it" },
    { "domain = \"d.example\"\ndkim { selector = \"s\" }\ndkim { selector = \"s\" }\n" GOOD_REST, 0,
      "two keys have the selector s" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { proof = spf }\n", 6, "expected dmarc, dkim or none" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { local_parts = lower }\n", 6, "expected insensitive or sensitive" },
    { "domain = \"d.example\"\n" GOOD_REST "policy {\n  max_message = \"many\"\n}\n", 7, "expected a size" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { unknown_senders = maybe }\n", 6, "expected reject or hold" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { hold_for = \"0s\" }\n", 6, "expected a duration" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { hold_key = \"hold.key\" }\n", 6, "expected an absolute path" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { hold_messages = 0 }\n", 6, "expected a number from 1" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { hold_size = \"1K\" }\n", 6, "expected a size from 1M" },
    { "domain = \"d.example\"\n" GOOD_REST "policy {\n  automatic_per_hour = -1\n}\n", 7, "or 0 for no limit" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { admins = { \"Alice Admin\", \"short\" } }\n", 6,
      "\"short\" can't be an alias" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { trust_arc_sealers = { \"lists example\" } }\n", 0,
      "expected the domain that seals" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { admins = { \"\" } }\n", 6, "can't be an alias" },
    { "domain = \"d.example\"\n" GOOD_REST "policy { requests_per_day = -1 }\n", 6, "or 0 for no limit" },
    { "domain = \"d.example\"\n" GOOD_REST "policy {\n# why\n  max_message = \"2G\"\n}\n", 8,
      "expected a size" }, /* SQLite's blobs end below 1 GiB */
    { "domain = \"d.example\"\n" GOOD_REST "limits {\n  in_member = \"lots\"\n}\n", 7, "such as 200/h or" },
    { "domain = \"d.example\"\n" GOOD_REST "limits { out_overall = \"0/h\" }\n", 6, "or none" },
    { "domain = \"d.example\"\n" GOOD_REST "limits { in_correspondent_size = \"100/d\" }\n", 6, "such as 1G/d" },
    { "domain = \"d.example\"\n" GOOD_REST "limits { in_correspondent_size = \"1G/d, 30M at once\" }\n", 0,
      "the largest could never pass" },
    { "domain = \"d.example\"\n" GOOD_REST "limits { out_member_size = \"1G/d, 30M at once\" }\n", 0,
      "out_member_size is less at once" },
    { "domain = \"d.example\"\n" GOOD_REST "limits { guesses = -1 }\n", 6, "or 0 for no limit" },
    { "domain = \"d.example\"\n" GOOD_REST "limits { in_all = none }\n", 6, "unknown key 'in_all'" },
    { "domain = \"d.example\"\n" GOOD_REST "retry { first = \"5\" }\n", 6, "expected a duration" },
    { "domain = \"d.example\"\n" GOOD_REST "retry { first = \"99999999999999999d\" }\n", 6, "expected a duration" },
    /* one attempt after the other */
    { "domain = \"d.example\"\n" GOOD_REST "retry { first = \"0s\" longest = \"0s\" }\n", 6, "from 1s to 3650d" },
    { "domain = \"d.example\"\n" GOOD_REST "retry { give_up = \"100000000000d\" }\n", 6, "from 1s to 3650d" },
    { "domain = \"d.example\"\n" GOOD_REST "retry { reports = \"3651d\" }\n", 6, "from 1s to 3650d" },
    { "domain = \"d.example\"\n" GOOD_REST "retry { first = \"2d\" longest = \"1d\" }\n", 0,
      "first is longer than longest" },
    { "domain = \"d.example\"\nnonsense = 3\n" GOOD_REST, 2, "unknown key 'nonsense'" },
    { "domain = \"d.example\"\nadmin { http = \"8025\" }\n" GOOD_REST, 2, "an address of this machine" },
    { "domain = \"d.example\"\nadmin { http = \"0.0.0.0:8025\" }\n" GOOD_REST, 2, "an address of this machine" },
    { "domain = \"d.example\"\nadmin { http = \"[::]:8025\" }\n" GOOD_REST, 2, "an address of this machine" },
    { "domain = \"d.example\"\nadmin { http = \"192.0.2.1:80\" }\n" GOOD_REST, 2, "through a web server in front" },
    { "domain = \"d.example\"\nadmin { http = \"127.0.0.1:2525\" }\n" GOOD_REST, 0,
      "admin: listen smtp has the address 127.0.0.1:2525 already" },
    { "domain = \"d.example\"\nadmin { origin = \"https://p.example\" }\n" GOOD_REST, 0, "which needs http" },
    { "domain = \"d.example\"\nadmin { origin = \"p.example\" }\n" GOOD_REST, 2, "what browsers have before the path" },
    { "domain = \"d.example\"\nadmin { origin = \"https://p.example/\" }\n" GOOD_REST, 2, "before the path" },
    { "domain = \"d.example\"\nadmin { origin = \"https://P.example\" }\n" GOOD_REST, 2, "in lower case" },
    { "domain = \"d.example\"\nadmin { origin = \"https://p.example:443\" }\n" GOOD_REST, 2, "before the path" },
    { "domain = \"d.example\"\nadmin { origin = \"https://\" }\n" GOOD_REST, 2, "before the path" },
    { "domain = \"d.example\"\nadmin { origin = \"https://u@p.example\" }\n" GOOD_REST, 2, "before the path" },
    { "domain = \"d.example\"\nadmin { session_idle = \"30s\" }\n" GOOD_REST, 2, "from 1m to 30d" },
    { "domain = \"d.example\"\nadmin { session_longest = \"31d\" }\n" GOOD_REST, 2, "from 1m to 30d" },
    { "domain = \"d.example\"\nadmin { session_idle = \"13h\" }\n" GOOD_REST, 0, "longer than session_longest" },
    { "domain = \"d.example\"\nmetrics { http = \"everywhere\" }\n" GOOD_REST, 2, "expected host:port" },
    { "domain = \"d.example\"\nmetrics { clients = { \"here\" } }\n" GOOD_REST, 2, "not a network" },
    { "domain = \"d.example\"\nmetrics { http = \"0.0.0.0:9125\" }\n" GOOD_REST, 0,
      "metrics: http = \"0.0.0.0:9125\" can be asked by everybody" },
    { "domain = \"d.example\"\nmetrics { clients = { \"::1\" } }\n" GOOD_REST, 0,
      "metrics: clients are of http, which is missing" },
    { "domain = \"d.example\"\nmetrics { http = \"127.0.0.1:2525\" }\n" GOOD_REST, 0,
      "metrics: listen smtp has the address 127.0.0.1:2525 already" },
    { "domain = \"d.example\"\nverify { resolver = {\"dns.example:53\"} }\n" GOOD_REST, 2, "neither \"system\" nor" },
    { "domain = \"d.example\"\nverify { resolver = {\"127.0.0.1\"} }\n" GOOD_REST, 2, "neither \"system\" nor" },
    { "domain = \"d.example\"\nverify { resolver = {\"127.0.0.1:0\"} }\n" GOOD_REST, 2, "neither \"system\" nor" },
    { "domain = \"d.example\"\nverify { resolver = {\"::1:53\"} }\n" GOOD_REST, 2, "neither \"system\" nor" },
    { "domain = \"d.example\"\nverify { resolver = {\"[127.0.0.1]:53\"} }\n" GOOD_REST, 2, "neither \"system\" nor" },
    { "domain = \"d.example\"\nverify { resolver = {\"unix:/x\"} }\n" GOOD_REST, 2, "neither \"system\" nor" },
    { "domain = \"d.example\"\nverify { resolver = {\"127.0.0.1:53\", \"system\"} }\n" GOOD_REST, 2, "stands alone" },
    { "domain = \"d.example\"\nverify { resolver = {\"system\", \"127.0.0.1:53\"} }\n" GOOD_REST, 2, "stands alone" },
    { "domain = \"d.example\"\nverify { resolver = {\"1.1.1.1:1\", \"1.1.1.1:2\", \"1.1.1.1:3\", \"1.1.1.1:4\", "
      "\"1.1.1.1:5\", "
      "\"1.1.1.1:6\", \"1.1.1.1:7\", \"1.1.1.1:8\", \"1.1.1.1:9\"} }\n" GOOD_REST,
      2, "at most 8" },
    { "domain = \"d.example\"\nverify { dns_timeout = \"21s\" }\n" GOOD_REST, 2, "from 1s to 20s" },
    { "domain = \"d.example\"\nverify { dns_timeout = \"0s\" }\n" GOOD_REST, 2, "from 1s to 20s" },
    { "domain = \"d.example\"\nverify { trust_anchor = \"root.key\" }\n" GOOD_REST, 2, "an absolute path" },
    { "domain = \"d.example\"\nverify { trust_anchor = \"/nowhere/root.key\" }\n" GOOD_REST, 2, "No such file" },
    { "domain = \"d.example\"\nverify { trust_anchor = \"/dev/null\" }\n" GOOD_REST, 2,
      "no DS or DNSKEY record in it" },
    { "domain = \"d.example\"\nverify { trust_anchor = \"/etc/passwd\" }\n" GOOD_REST, 2, "line 1 is no DS or DNSKEY" },
    { "domain = \"d.example\"\n" GOOD_REST "listen smtp { address = \"127.0.0.1:1\" }\n", 6, "duplicate" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"here\" }\n", 6, "expected host:port" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"127.0.0.1:99999\" }\n", 6, "expected host:port" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"::1:25\" }\n", 6, "expected host:port" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { }\n", 0, "listen b: address is missing" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" tls = may }\n", 0,
      "needs certificate and key" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" tls = perhaps }\n", 6,
      "expected none, may, require or implicit" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" tls = may certificate = \"/nowhere/c\" }\n",
      6, "missing or not readable" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" clients = { \"10.0.0.0/8\", \"10.0.0.0/33\" } }\n",
      6, "not a network" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" clients = { \"unix\" } }\n", 6,
      "not a network" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" proxy_protocol = { \"lb.example\" } }\n",
      6, "neither a network such as" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" max_sessions = 0 }\n", 6,
      "expected a number from 1" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" trust_authserv_id = x assume_authenticated = yes }\n",
      0, "exclude each other" },
    { "domain = \"d.example\"\nuser = \"no-such-user-here\"\n" GOOD_REST, 2, "no such user" },
    { "domain = \"d.example\"\nstate_dir = relative\n" GOOD_REST, 2, "absolute path" },
    { "domain = \"two words\"\n" GOOD_REST, 1, "expected a domain" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"0.0.0.0:25\" trust_authserv_id = x }\n", 0,
      "say who that is with clients" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::]:25\" assume_authenticated = yes }\n", 0,
      "say who that is with clients" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"127.0.0.1:25\" assume_authenticated = yes }\n", 0,
      "say who that is with clients" }, /* everybody on this machine is somebody */
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"unix:/tmp/x\" proxy_protocol = { \"unix\" } assume_authenticated = yes }\n",
      0, "say who that is with clients" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"sha256:00\" } }\n", 6,
      "expected IDENTITY=DOMAIN,DOMAIN" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"sha256:00=a.example\" } }\n",
      6, "64 hexadecimal digits" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"192.0.2.1=a.example\" } }\n",
      6, "or a name such as" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"localhost=a.example\" } }\n",
      6, "or a name such as" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"mx.a.example=\" } }\n", 6,
      "expected domains" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" peers = { \"mx.a.example=a.example,\" } }\n",
      6, "expected domains" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"mx.a.example=*\" } }\n", 6,
      "expected domains" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" peers = { \"mx.a.example=*.example\" } }\n",
      6, "expected domains" }, /* half the world */
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" peers = { \"mx.a.example=bob@a.example\" } }\n",
      6, "expected domains" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" peers = { \"mx.a.example=a.example\" } }\n",
      0, "peers that are named need peer_ca" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"" PEER_PIN
      "=a.example\" } }\n",
      0, "peers are known by certificates; expected tls" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"" PEER_PIN
      "=a.example\" } peer_ca = \"/dev/null\" }\n",
      0, "peer_ca goes with peers that are named" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peers = { \"" PEER_PIN
      "=a.example\", \"" PEER_PIN_COLONS "=b.example\" } }\n",
      0, "is there twice" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" clients = { \"::1\" } peers = { \"" PEER_PIN
      "=a.example\" } assume_authenticated = yes }\n",
      0, "assume_authenticated and peers exclude each other" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" peer_ca = \"/nowhere/ca.pem\" }\n", 6,
      "missing or not readable" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"0.0.0.0:25\" }\npolicy { proof = none }\n", 0,
      "listen b: with policy proof = none whoever can connect is believed" },
    /* Whoever can connect to a proxy before it can connect to a listener on loopback. */
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"127.0.0.1:25\" proxy_protocol = { \"127.0.0.1\" } trust_authserv_id = x }\n",
      0, "say who that is with clients" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"unix:/tmp/x\" proxy_protocol = { \"unix\" } }\npolicy { proof = none }\n",
      0, "listen b: with policy proof = none whoever can connect is believed" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" max_sessions_per_client = 0 }\n", 6,
      "expected a number from 1" },
    { "domain = \"d.example\"\n" GOOD_REST
      "listen b { address = \"[::1]:25\" exempt = { \"10.0.0.0/8\", \"here\" } }\n",
      6, "not a network" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" connections_per_minute = -1 }\n", 6,
      "expected a number from 1 to 1000000, or 0" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" messages_per_minute = 1000001 }\n", 6,
      "expected a number from 1 to 1000000, or 0" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" recipients_per_minute = -1 }\n", 6,
      "expected a number from 1 to 1000000, or 0" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" max_messages = -1 }\n", 6,
      "expected a number from 1 to 1000000, or 0" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" max_junk_commands = -1 }\n", 6,
      "expected a number from 1 to 1000000, or 0" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" max_recipients = 99 }\n", 6,
      "expected a number from 100" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" max_errors = 0 }\n", 6,
      "expected a number from 1" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" command_timeout = \"4s\" }\n", 6,
      "expected a duration from 5s to 1h" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" data_timeout = \"2h\" }\n", 6,
      "expected a duration from 5s to 1h" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"[::1]:25\" greet_delay = \"61s\" }\n", 6,
      "expected a duration from 0s to 60s" },
    { "domain = \"d.example\"\nsession_memory = \"1000K\"\n" GOOD_REST, 2, "expected a size from 1M" },
    { GOOD_REST, 0, "domain is missing" },
    { "domain = \"d.example\"\nhostname = \"h.example\"\nlisten a { address = \"127.0.0.1:1\" }\nrelay { url = "
      "\"maildir:/x\" }\n",
      0, "silo: address is missing" },
    { "domain = \"d.example\"\nhostname = \"h.example\"\nsilo { address = \"127.0.0.1:4433\" }\n", 3,
      "expected +host:port" },
    { "domain = \"d.example\"\n" GOOD_REST "silo { pin = \"sha256:00\" }\n", 6, "64 lower-case" },
    { "domain = \"d.example\"\n" GOOD_REST "relay { url = \"http://x\" }\n", 6, "expected maildir:" },
    { "domain = \"d.example\"\n" GOOD_REST "relay { url = \"smtp://nohost\" }\n", 6, "expected maildir:" },
    { "domain = \"d.example\"\n}\n" GOOD_REST, 2, "unexpected" },
    { "domain = \"d.example\"\n" GOOD_REST "admin { socket = \"control\" }\n", 6, "absolute path" },
    { "domain = \"d.example\"\n" GOOD_REST "silo { alias = \"short\" }\n", 6, "8 to 200 bytes" },
    { "domain = \"d.example\"\n" GOOD_REST "silo { alias = \"Email\\nGateway\" }\n", 6, "in one line" },
    { "domain = \"d.example\"\n" GOOD_REST "admin { socket = \"/" PATH_107 "\" }\n", 6, "at most 107 bytes" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b { address = \"127.0.0.1:2525\" }\n", 0,
      "listen b: listen smtp has the address 127.0.0.1:2525 already" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { socketmap = \"here\" }\n", 6, "expected host:port" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { policy_match = all }\n", 6, "expected address, domain or none" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { clients = { \"here\" } }\n", 6, "not a network" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { policy = \"0.0.0.0:2528\" }\n", 0,
      "postfix: policy = \"0.0.0.0:2528\" can be asked by everybody" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { socketmap = \"127.0.0.1:2525\" }\n", 0,
      "postfix: listen smtp has the address 127.0.0.1:2525 of socketmap already" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { socketmap = \"[::1]:1\" policy = \"[::1]:1\" }\n", 0,
      "postfix: socketmap and policy have the same address" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { recipients_db = \"recipients.db\" }\n", 6, "absolute path" },
    { "domain = \"d.example\"\n" GOOD_REST "postfix { recipients_db = \"/var/lib/postern/r.db\" }\n", 0,
      "recipients_db is in state_dir" },
    { "domain = \"d.example\"\n" GOOD_REST "log {\n  level = info\n", 6, "the section is not closed" },
    { "domain = \"d.example\"\n" GOOD_REST "log { level = \"}\" # }\n// }\n", 6, "the section is not closed" },
    { "domain = \"d.example\"\n" GOOD_REST "listen b {\n  address = \"[::1]:25\"\n  clients = { \"::1\" }\n", 6,
      "the section is not closed" },
};

/* Every limit of a listener, away from its default. */
static void test_limits(void **state)
{
    (void)state;
    char path[32];
    struct strbuf problems;
    strbuf_init(&problems, 10000);
    struct config *config = load("domain = \"d.example\"\nsession_memory = \"2G\"\n" GOOD_REST
                                 "listen b { address = \"[::1]:25\" exempt = {} connections_per_minute = 1\n"
                                 "messages_per_minute = 2 recipients_per_minute = 3 max_messages = 4\n"
                                 "max_junk_commands = 5 max_recipients = 100 max_errors = 6 command_timeout = \"7s\"\n"
                                 "data_timeout = \"8s\" greet_delay = \"9s\" }\n",
                                 &problems, path);
    assert_non_null(config);
    const struct config_listener *listener = &config->listeners[1];
    assert_null(listener->exempt);
    assert_int_equal(listener->connections_per_minute, 1);
    assert_int_equal(listener->messages_per_minute, 2);
    assert_int_equal(listener->recipients_per_minute, 3);
    assert_int_equal(listener->max_messages, 4);
    assert_int_equal(listener->max_junk_commands, 5);
    assert_int_equal(listener->max_recipients, 100);
    assert_int_equal(listener->max_errors, 6);
    assert_int_equal(listener->command_timeout_ms, 7000);
    assert_int_equal(listener->data_timeout_ms, 8000);
    assert_int_equal(listener->greet_delay_ms, 9000);
    assert_int_equal(config->session_memory, INT64_C(2) << 30);
    config_free(&config);
    strbuf_free(&problems);
}

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        char path[32], where[64];
        struct strbuf problems;
        strbuf_init(&problems, 10000);
        struct config *config = load(mistakes[i].text, &problems, path);
        assert_null(config);
        if (mistakes[i].line)
            snprintf(where, sizeof where, "%s:%d: ", path, mistakes[i].line);
        else
            snprintf(where, sizeof where, "%s: ", path);
        if (!strstr(problems.data, where) || !strstr(problems.data, mistakes[i].says))
            fail_msg("row %zu: expected \"%s...%s\", got \"%s\"", i, where, mistakes[i].says, problems.data);
        strbuf_free(&problems);
    }
}

/* Not only the first mistake is told, and none twice. */
static void test_all_mistakes_in_one_go(void **state)
{
    (void)state;
    char path[32];
    struct strbuf problems;
    strbuf_init(&problems, 10000);
    struct config *config =
        load("domain = \"bad domain\"\nwhat = 1\n# comment\nwhy = 2\n" GOOD_REST "retry { first = \"x\" }\n", &problems,
             path);
    assert_null(config);
    const char *expected[] = { ":1: domain", ":2: unknown key 'what'", ":4: unknown key 'why'", ":9: first" };
    for (size_t i = 0; i < 4; i++) {
        char *found = strstr(problems.data, expected[i]);
        if (!found) {
            fail_msg("\"%s\" is missing from \"%s\"", expected[i], problems.data);
            return;
        }
        assert_null(strstr(found + 1, expected[i]));
    }
    strbuf_free(&problems);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

static void test_each_bad_network_is_told_once(void **state)
{
    (void)state;
    static const struct {
        const char *listeners;
        size_t problems;
    } rows[] = {
        { "listen b { address = \"[::1]:25\" clients = { \"bad\" } }\n", 1 },
        { "listen b { address = \"[::1]:25\" clients = { \"bad\", \"::1\" } }\n", 1 },
        { "listen b { address = \"[::1]:25\" clients = { \"::1\",\n\"bad\"\n} }\n", 1 },
        { "listen b { address = \"[::1]:25\" clients = { \"bad\", \"bad\" } }\n", 2 },
        { "listen b { address = \"[::1]:25\" clients = { \"bad\" } }\n"
          "listen c { address = \"[::1]:26\" clients = { \"bad\" } }\n",
          2 },
        { "listen b { address = \"[::1]:25\" clients = { } }\n", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[32];
        struct strbuf text, problems;
        strbuf_init(&text, 10000);
        strbuf_init(&problems, 10000);
        strbuf_add_fmt(&text, "domain = \"d.example\"\n%s%s", GOOD_REST, rows[i].listeners);
        struct config *config = load(text.data, &problems, path);
        assert_int_equal(count_of(problems.data, "is not a network"), rows[i].problems);
        config_free(&config);
        strbuf_free(&text);
        strbuf_free(&problems);
    }
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void check_pair(const char *certificate, const char *key, const char *says)
{
    char path[32];
    struct strbuf text, problems;
    strbuf_init(&text, 10000);
    strbuf_init(&problems, 10000);
    strbuf_add_fmt(&text,
                   "domain = \"d.example\"\n%slisten b { address = \"[::1]:25\" tls = may certificate = \"%s\" "
                   "key = \"%s\" }\n",
                   GOOD_REST, certificate, key);
    struct config *config = load(text.data, &problems, path);
    if (says) {
        assert_null(config);
        assert_non_null(strstr(problems.data, ": listen b: certificate/key: "));
        assert_non_null(strstr(problems.data, says));
    } else {
        assert_string_equal(problems.data, "");
    }
    config_free(&config);
    strbuf_free(&text);
    strbuf_free(&problems);
}

static void test_certificate_and_key(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-tls-XXXXXX", files[5][40];
    static const char *const names[5] = { "a.pem", "a.key", "b.pem", "b.key", "text" };
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 5; i++)
        snprintf(files[i], sizeof files[i], "%s/%s", folder, names[i]);
    char *error = NULL;
    assert_int_equal(tls_make_self_signed("gw.example.org", files[0], files[1], &error), 1);
    assert_int_equal(tls_make_self_signed("gw.example.org", files[2], files[3], &error), 1);
    put_file(files[4], "this is no PEM\n");
    check_pair(files[0], files[1], NULL);
    check_pair(files[0], files[3], files[3]); /* each good, but not of the other */
    check_pair(files[4], files[1], files[4]);
    check_pair(files[0], files[4], files[4]);
    check_pair(files[1], files[0], files[1]);
    for (size_t i = 0; i < 5; i++)
        unlink(files[i]);
    rmdir(folder);
}

/* posternctl must reach the daemon also when the file has mistakes that the daemon would not start with. */
static void test_socket_is_found_in_a_file_with_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *socket;
    } rows[] = {
        { "domain = \"d\"\n", "/run/postern/control" },
        { "admin { socket = \"/run/x\" }\n", "/run/x" },
        { "silo { socket = \"/no\" }\nadmin  \n {\n\tsocket=\"/run/x\"}\n", "/run/x" },
        { "admin { socket = /run/x nonsense = 3 }\nnonsense = { 1, 2 }\n", "/run/x" },
        { "what = 3\nlisten a { why = 4 clients = { \"x\" } tls = perhaps }\n# admin {\nadmin { socket = '/run/x' }\n",
          "/run/x" },
        { "admin { socket = \"/run/x\" }\n} and = more \"nonsense\n", "/run/x" },
        { "admin { socket = \"/run/x\" }\nlog { level = info\n", "/run/x" },
        { "log { level = info\n", NULL }, /* admin may be in it */
        { "} = =\n", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[] = "/tmp/postern-conf-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        close(fd);
        put_file(path, rows[i].text);
        char *found = config_find_socket(path);
        unlink(path);
        if (!found != !rows[i].socket || (found && strcmp(found, rows[i].socket) != 0))
            fail_msg("row %zu: found %s", i, found ? found : "nothing");
        free(found);
    }
    assert_null(config_find_socket("/nowhere/postern.conf"));
}

static void test_unreadable_file(void **state)
{
    (void)state;
    struct strbuf problems;
    strbuf_init(&problems, 10000);
    assert_null(config_load("/nowhere/postern.conf", &problems));
    assert_non_null(strstr(problems.data, "/nowhere/postern.conf: can't read the configuration: No such file"));
    strbuf_free(&problems);
}

static void test_scaled_values(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(config_parse_duration("4h", &value), 1);
    assert_int_equal(value, 4 * 3600 * 1000);
    assert_int_equal(config_parse_size("35M", &value), 1);
    assert_int_equal(value, 35 << 20);
    assert_int_equal(config_parse_size("1234", &value), 1);
    assert_int_equal(value, 1234);
    static const char *const bad_durations[] = { "", "h", "4", "4 h", "-4h", "4hh", "4w", "9223372036854775807d" };
    for (size_t i = 0; i < sizeof bad_durations / sizeof bad_durations[0]; i++)
        assert_int_equal(config_parse_duration(bad_durations[i], &value), -1);
    static const char *const bad_sizes[] = { "", "M", "-1", "1T", "1MB", "9223372036854775807K" };
    for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++)
        assert_int_equal(config_parse_size(bad_sizes[i], &value), -1);
}

/* Domains of signatures are those of the DNS: our own, or one above it. */
static void test_signing_keys(void **state)
{
    (void)state;
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
    static const struct row {
        const char *own, *wanted, *found; /* found: NULL when it is refused */
    } rows[] = {
        { "silo.example.org", NULL, "silo.example.org" },
        { "Silo.Example.Org", NULL, "silo.example.org" },
        { "silo.example.org", "example.org", "example.org" },
        { "silo.b\u00FCcher.example", "b\u00FCcher.example", "xn--bcher-kva.example" },
        { "silo.xn--bcher-kva.example", "b\u00FCcher.example", "xn--bcher-kva.example" },
        { "silo.example.org", "lo.example.org", NULL },
        { "silo.example.org", "example.com", NULL },
    };
    char key_path[] = "/tmp/postern-key-XXXXXX", path[32];
    int fd = mkstemp(key_path);
    assert_int_equal(write(fd, pem, sizeof pem - 1), (ssize_t)sizeof pem - 1);
    close(fd);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf text, problems;
        strbuf_init(&text, 10000);
        strbuf_init(&problems, 10000);
        strbuf_add_fmt(&text, "domain = \"%s\"\n" GOOD_REST "dkim { selector = \"s\" key = \"%s\"", rows[i].own,
                       key_path);
        if (rows[i].wanted)
            strbuf_add_fmt(&text, " domain = \"%s\"", rows[i].wanted);
        strbuf_add_fmt(&text, " }\ndkim { selector = \"t\" key = \"%s\" }\nmail { from_name = \"{alias}\" }\n",
                       key_path);
        struct config *config = load(text.data, &problems, path);
        assert_int_equal(config != NULL, rows[i].found != NULL);
        if (config) {
            assert_int_equal(config->dkim_count, 2);
            assert_string_equal(config->dkim[0].domain, rows[i].found);
            assert_string_equal(config->dkim[1].selector, "t");
            assert_string_equal(config->dkim[1].key, key_path);
            assert_string_equal(config->mail.from_name, "{alias}");
        }
        config_free(&config);
        strbuf_free(&text);
        strbuf_free(&problems);
    }
    unlink(key_path);
}

static void test_held_mail(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *key;
        enum config_unknown_senders unknown_senders;
        int64_t for_ms, size;
    } rows[] = {
        { "", "/var/lib/postern/hold.key", CONFIG_UNKNOWN_REJECT, INT64_C(7) * 86400 * 1000, INT64_C(512) << 20 },
        { "state_dir = \"/srv/p\"\npolicy { unknown_senders = hold hold_for = \"1h\" hold_size = \"2G\" }\n",
          "/srv/p/hold.key", CONFIG_UNKNOWN_HOLD, 3600 * 1000, INT64_C(2) << 30 },
        { "policy { hold_key = \"/etc/p.key\" }\n", "/etc/p.key", CONFIG_UNKNOWN_REJECT, INT64_C(7) * 86400 * 1000,
          INT64_C(512) << 20 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[2000], path[32];
        struct strbuf problems;
        strbuf_init(&problems, 10000);
        snprintf(text, sizeof text, "domain = \"d.example\"\n" GOOD_REST "%s", rows[i].policy);
        struct config *config = load(text, &problems, path);
        assert_string_equal(problems.data, "");
        assert_string_equal(config->hold_key, rows[i].key);
        assert_int_equal(config->policy.unknown_senders, rows[i].unknown_senders);
        assert_int_equal(config->hold.for_ms, rows[i].for_ms);
        assert_int_equal(config->hold.size, rows[i].size);
        config_free(&config);
        strbuf_free(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_admins),
        cmocka_unit_test(test_sealers),
        cmocka_unit_test(test_quotas),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_all_mistakes_in_one_go),
        cmocka_unit_test(test_unreadable_file),
        cmocka_unit_test(test_scaled_values),
        cmocka_unit_test(test_each_bad_network_is_told_once),
        cmocka_unit_test(test_certificate_and_key),
        cmocka_unit_test(test_signing_keys),
        cmocka_unit_test(test_held_mail),
        cmocka_unit_test(test_socket_is_found_in_a_file_with_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
