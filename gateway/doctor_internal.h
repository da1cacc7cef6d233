/* doctor_internal.h - what the rooms of the doctor share
 *
 *   doctor.c         the table of checks, what they say, waiting, asking the DNS
 *   doctor_apart.c   whatever reads what peers say, in a process of its own
 *   doctor_show.c    findings as text or JSON; pure
 *   doctor_daemon.c  what the daemon says of itself
 *   doctor_files.c   the configuration, the files that it names, the state directory
 *   doctor_silo.c    the silo; gateway/silo_probe goes there
 *   doctor_relay.c   the relays
 *   doctor_listen.c  ports, and who holds them; certificates
 *   doctor_postfix.c Postfix on this machine
 *   doctor_dns.c     what the DNS says of us
 *   doctor_system.c  disk, clock, limits, kernel, database
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/dns.h"
#include "gateway/config.h"
#include "gateway/doctor.h"

struct clock;
struct loop;
struct strbuf;
struct resolver;

/* What a check can't do without. */
enum {
    DOCTOR_NEEDS_CONFIG = 1,
    DOCTOR_NEEDS_DAEMON = 2,
    DOCTOR_NEEDS_DNS = 4, /* an answer from it; means CONFIG too */
};

struct doctor_check {
    const char *topic, *name;
    unsigned needs;
    void (*run)(struct doctor *doctor);
};

struct doctor_daemon_listener {
    char *name, *address;
};
struct doctor_daemon_relay {
    char *url, *state, *error; /* error: NULL */
};

/* Texts may be NULL. */
struct doctor_daemon {
    bool is_there; /* it has answered */
    int error;     /* errno: why it has not; ETIME: in time */
    pid_t pid;     /* 0: not known */
    uid_t uid;
    char *version;
    char *silo_state, *silo_uid, *silo_error, *silo_hint, *silo_alias_error, *silo_pin;
    char *held_error, *paused_because, *recipients_error;
    int64_t uptime_s;
    int64_t oldest_in_ms, oldest_out_ms; /* wall clock, 0: nothing waits */
    struct doctor_daemon_listener *listeners;
    size_t listener_count;
    struct doctor_daemon_relay *relays;
    size_t relay_count;
};

/* Whose files they should be. */
struct doctor_user {
    bool is_known;
    char *name;
    uid_t uid;
    gid_t gid;
};

/* Of a dkim section, in its order. */
struct doctor_dkim_key {
    char *public_key; /* as it is published; NULL with error */
    char *error;
};

struct doctor {
    struct doctor_settings settings;
    struct config *config; /* NULL: it is of no use */
    char *problems;        /* of the configuration, a line each */
    struct clock *clock;
    struct loop *loop;         /* NULL but in a process that talks with peers (doctor_apart.c) */
    struct resolver *resolver; /* NULL: not needed yet, or there is no loop */
    struct doctor_answer *answers;
    struct doctor_dkim_key *dkim_keys; /* NULL: not read yet */
    int64_t deadline;                  /* monotonic */
    struct doctor_daemon daemon;
    struct doctor_user user;
    bool has_dns; /* it has answered something */
    bool is_root;
    const struct doctor_check *check; /* that runs */
    struct doctor_finding *findings;
    size_t count;
};

/* ---- doctor.c ---- */

void doctor_say(struct doctor *doctor, enum doctor_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Of what was said last. */
void doctor_advise(struct doctor *doctor, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* At most so many ms, and no more than are left; 1 at least. */
int64_t doctor_time(const struct doctor *doctor, int64_t most);
/* Runs the loop until *is_done, for that long at most. Whoever sets it calls loop_stop(). */
void doctor_wait(struct doctor *doctor, const bool *is_done, int64_t ms);
/* Never NULL: DNS_TEMPORARY when there was no answer in time. Lives until doctor_forget_answers(). */
const struct dns_answer *doctor_ask(struct doctor *doctor, const char *name, enum dns_type type);
dns_ask doctor_ask_for; /* the same, of a struct doctor as ctx */
void doctor_forget_answers(struct doctor *doctor);

/* A check by its number in the table, of which there are doctor_check_count(). */
size_t doctor_check_count(void);
const struct doctor_check *doctor_check_at(size_t i);

/* ---- doctor_apart.c ---- */

typedef void doctor_talk(struct doctor *doctor, void *ctx);
/* Calls it with a loop in a process that may do less than root (gateway/apart.h), and takes over what it says of checks; ms: how long it may
 * take, as far as that is left. In such a process already: just calls it. */
void doctor_apart(struct doctor *doctor, int64_t ms, doctor_talk *talk, void *ctx);
/* Connects, in plain, and waits for a line if one is wanted. true, with the line (without its end; "" when none came in time, or the
 * connection was closed first) in text_out; false, with the reason there. */
bool doctor_reach(struct doctor *doctor, const char *address, int64_t ms, bool wants_line, struct strbuf *text_out);

/* ---- the checks ---- */

void doctor_check_configuration(struct doctor *doctor);
void doctor_check_configuration_mode(struct doctor *doctor);
void doctor_check_user(struct doctor *doctor);
void doctor_check_secrets(struct doctor *doctor);
void doctor_check_state(struct doctor *doctor);
void doctor_check_hold_key(struct doctor *doctor);

void doctor_daemon_ask(struct doctor *doctor); /* once */
/* One of its verbs. true: it was done. The caller frees *out_out, which is NULL when there was no answer. */
bool doctor_daemon_call(struct doctor *doctor, const char *const *words, char **out_out);
void doctor_daemon_clear(struct doctor_daemon *daemon);
void doctor_check_daemon(struct doctor *doctor);
void doctor_check_version(struct doctor *doctor);
void doctor_check_queues(struct doctor *doctor);
void doctor_check_admins(struct doctor *doctor);

void doctor_check_silo(struct doctor *doctor);
void doctor_check_silo_certificate(struct doctor *doctor);

void doctor_check_relays(struct doctor *doctor);

void doctor_check_listeners(struct doctor *doctor);
void doctor_check_certificates(struct doctor *doctor);

void doctor_check_postfix(struct doctor *doctor);

void doctor_check_resolver(struct doctor *doctor);
void doctor_check_mx(struct doctor *doctor);
void doctor_check_spf(struct doctor *doctor);
void doctor_check_dkim(struct doctor *doctor);
void doctor_check_dmarc(struct doctor *doctor);
void doctor_check_hostname(struct doctor *doctor);
void doctor_dns_read_keys(struct doctor *doctor); /* while we are root */
void doctor_dns_clear(struct doctor *doctor);

void doctor_check_disk(struct doctor *doctor);
void doctor_check_clock(struct doctor *doctor);
void doctor_check_descriptors(struct doctor *doctor);
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_database(struct doctor *doctor);

/* ---- shared by some ---- */

/* May this user (as the doctor's user) do that, R_OK | W_OK | X_OK, by mode bits and groups? */
bool doctor_user_may(const struct doctor_user *user, mode_t mode, uid_t owner, gid_t group, int what);
/* "in 12 days", "3 days ago". */
enum { DOCTOR_DAYS_SIZE = 40 };
void doctor_format_days(int64_t from_s, int64_t to_s, char out[static DOCTOR_DAYS_SIZE]);
