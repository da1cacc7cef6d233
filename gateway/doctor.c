/* doctor.c - the table of checks, and what they all need; see doctor.h and doctor_internal.h */
#include "gateway/doctor_internal.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { TEXT_MAX = 4000, PROBLEMS_MAX = 64 * 1024, DNS_MS = 3000, DNS_SPARE_MS = 200 };

/* What takes no time comes first, so that it is never left out. */
static const struct doctor_check checks[] = {
    { "configuration", "file", 0, doctor_check_configuration },
    { "configuration", "mode", 0, doctor_check_configuration_mode },
    { "configuration", "user", DOCTOR_NEEDS_CONFIG, doctor_check_user },
    { "configuration", "secrets", DOCTOR_NEEDS_CONFIG, doctor_check_secrets },
    { "configuration", "certificates", DOCTOR_NEEDS_CONFIG, doctor_check_certificates },
    { "state", "directory", DOCTOR_NEEDS_CONFIG, doctor_check_state },
    { "state", "held mail", DOCTOR_NEEDS_CONFIG, doctor_check_hold_key },
    { "state", "disk", DOCTOR_NEEDS_CONFIG, doctor_check_disk },
    { "state", "database", DOCTOR_NEEDS_CONFIG, doctor_check_database },
    { "system", "clock", 0, doctor_check_clock },
    { "system", "open files", DOCTOR_NEEDS_CONFIG, doctor_check_descriptors },
    { "system", "kernel", 0, doctor_check_kernel },
    { "daemon", "daemon", 0, doctor_check_daemon },
    { "daemon", "version", DOCTOR_NEEDS_DAEMON, doctor_check_version },
    { "daemon", "queues", DOCTOR_NEEDS_DAEMON | DOCTOR_NEEDS_CONFIG, doctor_check_queues },
    { "daemon", "admins", DOCTOR_NEEDS_DAEMON | DOCTOR_NEEDS_CONFIG, doctor_check_admins },
    { "silo", "silo", DOCTOR_NEEDS_CONFIG, doctor_check_silo },
    { "silo", "certificate", DOCTOR_NEEDS_CONFIG, doctor_check_silo_certificate },
    { "mail", "listeners", DOCTOR_NEEDS_CONFIG, doctor_check_listeners },
    { "mail", "relay", DOCTOR_NEEDS_CONFIG, doctor_check_relays },
    { "mail", "Postfix", DOCTOR_NEEDS_CONFIG, doctor_check_postfix },
    { "dns", "resolver", DOCTOR_NEEDS_CONFIG, doctor_check_resolver },
    { "dns", "MX", DOCTOR_NEEDS_DNS, doctor_check_mx },
    { "dns", "SPF", DOCTOR_NEEDS_DNS, doctor_check_spf },
    { "dns", "DKIM", DOCTOR_NEEDS_DNS, doctor_check_dkim },
    { "dns", "DMARC", DOCTOR_NEEDS_DNS, doctor_check_dmarc },
    { "dns", "hostname", DOCTOR_NEEDS_DNS, doctor_check_hostname },
};
enum { CHECKS = sizeof checks / sizeof checks[0] };

/* ---- what checks say ---- */

static char *format(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));
static char *format(const char *fmt, va_list args)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    strbuf_add_vfmt(&text, fmt, args);
    if (!strbuf_ok(&text)) { /* a stranger's words */
        strbuf_clear(&text);
        strbuf_add_str(&text, "something that is too long to be shown");
    }
    return strbuf_detach(&text);
}

void doctor_say(struct doctor *doctor, enum doctor_level level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    doctor->findings = xreallocarray(doctor->findings, doctor->count + 1, sizeof *doctor->findings);
    doctor->findings[doctor->count++] = (struct doctor_finding){
        .level = level, .topic = doctor->check->topic, .check = doctor->check->name, .what = format(fmt, args)
    };
    va_end(args);
}

void doctor_advise(struct doctor *doctor, const char *fmt, ...)
{
    struct doctor_finding *last = &doctor->findings[doctor->count - 1];
    va_list args;
    va_start(args, fmt);
    free(last->advice);
    last->advice = format(fmt, args);
    va_end(args);
}

/* ---- waiting ---- */

int64_t doctor_time(const struct doctor *doctor, int64_t most)
{
    int64_t left = doctor->deadline - clock_monotonic_ms(doctor->clock);
    return left < 1 ? 1 : left < most ? left : most;
}

static void on_time(void *arg)
{
    loop_stop(arg);
}

void doctor_wait(struct doctor *doctor, const bool *is_done, int64_t ms)
{
    struct timer *timer = timer_new(doctor->loop, on_time, doctor->loop);
    int64_t end = clock_monotonic_ms(doctor->clock) + doctor_time(doctor, ms), now;
    while (!*is_done && (now = clock_monotonic_ms(doctor->clock)) < end) {
        timer_start(timer, end - now);
        loop_run(doctor->loop);
    }
    timer_free(&timer);
}

/* ---- the DNS ---- */

struct doctor_answer {
    struct doctor_answer *next;
    struct loop *loop;
    bool is_done;
    struct dns_answer answer;
};

/* A text has a NUL behind it, which len does not count. */
static void copy_answer(const struct dns_answer *from, struct dns_answer *to)
{
    *to = *from;
    struct dns_record *records = xcalloc(from->count + 1, sizeof *records);
    for (size_t i = 0; i < from->count; i++) {
        records[i] = from->records[i];
        char *data = xcalloc(1, records[i].len + 1);
        memcpy(data, records[i].data, records[i].len);
        records[i].data = data;
    }
    to->records = records;
}

static void free_answer(struct doctor_answer *answer)
{
    for (size_t i = 0; i < answer->answer.count; i++)
        free((char *)(uintptr_t)answer->answer.records[i].data);
    free((struct dns_record *)(uintptr_t)answer->answer.records);
    free(answer);
}

static void on_answer(const struct dns_answer *answer, void *ctx)
{
    struct doctor_answer *into = ctx;
    if (into->is_done)
        return; /* nobody waits for it any more */
    copy_answer(answer, &into->answer);
    into->is_done = true;
    loop_stop(into->loop);
}

static struct resolver *resolver_of(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    if (doctor->resolver)
        return doctor->resolver;
    const struct resolver_settings settings = {
        .program = "/proc/self/exe",
        .servers = (const char *const *)config->verify.servers,
        .trust_anchor = config->verify.trust_anchor,
        .timeout_ms = config->verify.dns_timeout_ms < DNS_MS ? config->verify.dns_timeout_ms : DNS_MS,
    };
    return doctor->resolver = resolver_new(doctor->loop, &settings);
}

const struct dns_answer *doctor_ask(struct doctor *doctor, const char *name, enum dns_type type)
{
    struct doctor_answer *answer = xcalloc(1, sizeof *answer);
    answer->loop = doctor->loop;
    answer->next = doctor->answers;
    doctor->answers = answer; /* kept: the resolver may still answer it */
    answer->answer.outcome = DNS_TEMPORARY;
    resolver_ask(resolver_of(doctor), name, type, on_answer, answer);
    doctor_wait(doctor, &answer->is_done, DNS_MS + DNS_SPARE_MS);
    answer->is_done = true;
    if (answer->answer.outcome != DNS_TEMPORARY)
        doctor->has_dns = true;
    return &answer->answer;
}

void doctor_forget_answers(struct doctor *doctor)
{
    resolver_free(&doctor->resolver); /* answers what waits */
    while (doctor->answers) {
        struct doctor_answer *next = doctor->answers->next;
        free_answer(doctor->answers);
        doctor->answers = next;
    }
}

const struct dns_answer *doctor_ask_for(const char *name, enum dns_type type, void *ctx)
{
    return doctor_ask(ctx, name, type);
}

/* ---- running them ---- */

/* Who the daemon is, or will be. */
static void find_user(struct doctor *doctor)
{
    const char *name = doctor->config ? doctor->config->user : NULL;
    const struct passwd *entry = name                      ? getpwnam(name)
                                 : doctor->daemon.pid != 0 ? getpwuid(doctor->daemon.uid)
                                                           : getpwuid(geteuid());
    if (!entry)
        return;
    doctor->user = (struct doctor_user){
        .is_known = true, .name = xstrdup(entry->pw_name), .uid = entry->pw_uid, .gid = entry->pw_gid
    };
}

/* NULL: nothing. */
static const char *what_is_missing(struct doctor *doctor, unsigned needs)
{
    bool wants_config = needs & (DOCTOR_NEEDS_CONFIG | DOCTOR_NEEDS_DNS);
    if (wants_config && !doctor->config)
        return "not looked at: it takes a valid configuration";
    if ((needs & DOCTOR_NEEDS_DAEMON) && !doctor->daemon.is_there)
        return "not looked at: it takes a running daemon";
    if ((needs & DOCTOR_NEEDS_DNS) && !doctor->has_dns)
        return "not looked at: the DNS does not answer";
    return NULL;
}

size_t doctor_check_count(void)
{
    return CHECKS;
}

const struct doctor_check *doctor_check_at(size_t i)
{
    return &checks[i];
}

static void run_check(struct doctor *doctor, const struct doctor_check *check)
{
    doctor->check = check;
    const char *missing = what_is_missing(doctor, check->needs);
    if (missing)
        doctor_say(doctor, DOCTOR_UNSEEN, "%s", missing);
    else if (clock_monotonic_ms(doctor->clock) >= doctor->deadline)
        doctor_say(doctor, DOCTOR_UNSEEN, "not looked at: other checks have taken all the time there is");
    else
        check->run(doctor);
}

static bool is_about_dns(const struct doctor_check *check)
{
    return strcmp(check->topic, "dns") == 0;
}

static void run_dns_checks(struct doctor *doctor, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < CHECKS; i++)
        if (is_about_dns(&checks[i]))
            run_check(doctor, &checks[i]);
}

/* Those about the DNS share one resolver and its answers, so they are run together. */
static void run_checks(struct doctor *doctor)
{
    const char *only = doctor->settings.only;
    size_t about_dns = 0;
    for (size_t i = 0; i < CHECKS; i++) {
        if (only && strcmp(only, checks[i].topic) != 0)
            continue;
        if (!is_about_dns(&checks[i])) {
            run_check(doctor, &checks[i]);
        } else if (about_dns++ == 0) {
            doctor_dns_read_keys(doctor);
            doctor->check = &checks[i];
            doctor_apart(doctor, DOCTOR_TIME_MS, run_dns_checks, NULL);
        }
    }
}

struct doctor *doctor_new(const struct doctor_settings *settings)
{
    struct doctor *doctor = xcalloc(1, sizeof *doctor);
    struct strbuf problems;
    doctor->settings = *settings;
    doctor->clock = clock_new_system();
    doctor->deadline = clock_monotonic_ms(doctor->clock) + DOCTOR_TIME_MS;
    doctor->is_root = geteuid() == 0;
    strbuf_init(&problems, PROBLEMS_MAX);
    doctor->config = config_load(settings->config_file, &problems);
    doctor->problems = strbuf_detach(&problems);
    doctor_daemon_ask(doctor);
    find_user(doctor);
    run_checks(doctor);
    return doctor;
}

void doctor_free(struct doctor **doctor_in)
{
    struct doctor *doctor = *doctor_in;
    if (!doctor)
        return;
    doctor_forget_answers(doctor);
    doctor_dns_clear(doctor);
    for (size_t i = 0; i < doctor->count; i++) {
        free(doctor->findings[i].what);
        free(doctor->findings[i].advice);
    }
    free(doctor->findings);
    free(doctor->problems);
    free(doctor->user.name);
    doctor_daemon_clear(&doctor->daemon);
    config_free(&doctor->config);
    clock_free(&doctor->clock);
    free(doctor);
    *doctor_in = NULL;
}

const struct doctor_finding *doctor_findings(const struct doctor *doctor, size_t *count_out)
{
    *count_out = doctor->count;
    return doctor->findings;
}

bool doctor_knows_topic(const char *topic)
{
    for (size_t i = 0; i < CHECKS; i++)
        if (strcmp(topic, checks[i].topic) == 0)
            return true;
    return false;
}

const char *doctor_topics(void)
{
    return "configuration, state, system, daemon, silo, mail, dns";
}
