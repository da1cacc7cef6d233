/* doctor.h - looks at everything that a gateway needs, and says what to do about what is wrong
 *
 * For `posternctl doctor`: it runs beside the daemon or without one, changes nothing, and sends no mail. Each check is one function in
 * a table (doctor.c) and says what it has found in lines of one of four kinds. No check waits for longer than a few seconds, all
 * together for DOCTOR_TIME_MS: what there is no time for is said to be unseen.
 *
 * Blocks; not for the daemon. The program must be able to start itself as the resolver (base/resolver.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct doctor;
struct strbuf;

enum { DOCTOR_TIME_MS = 25 * 1000 };

enum doctor_level {
    DOCTOR_OK,
    DOCTOR_UNSEEN,  /* it could not be looked at, and says why */
    DOCTOR_WARNING, /* it works, but may not for long, or not for everybody */
    DOCTOR_FAILURE, /* it doesn't work */
};

struct doctor_finding {
    enum doctor_level level;
    const char *topic, *check; /* static */
    char *what;
    char *advice; /* of warnings and failures, a line; else NULL */
};

struct doctor_settings {
    const char *config_file;
    const char *socket_path; /* of the daemon; NULL: as the configuration says */
    const char *only;        /* this topic; NULL: all */
};

/* Looks. Never NULL; what is asked for must outlive the result. */
struct doctor *doctor_new(const struct doctor_settings *settings);
void doctor_free(struct doctor **doctor);
/* In the order of the checks. */
const struct doctor_finding *doctor_findings(const struct doctor *doctor, size_t *count_out);
bool doctor_knows_topic(const char *topic);
const char *doctor_topics(void); /* "configuration, daemon, ...", for people */

/* Pure (doctor_show.c). As text: a line each and the advice below it, by topic, and a line of numbers at the end. As JSON: "result"
 * ("ok", "warning", "failure"), "failures", "warnings", "unseen" and "checks". */
void doctor_show(const struct doctor_finding *findings, size_t count, bool json, bool colours, struct strbuf *out);
/* The worst that was found; UNSEEN counts as OK. */
enum doctor_level doctor_result(const struct doctor_finding *findings, size_t count);
const char *doctor_level_name(enum doctor_level level);
