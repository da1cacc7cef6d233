/* doctor_silo.c - is the gateway logged in, is the silo there, and is its certificate the right one? */
#include <string.h>
#include <time.h>

#include "gateway/doctor_internal.h"
#include "gateway/silo_probe.h"

enum { SILO_MS = 5000, WARN_DAYS = 14, S_PER_DAY = 24 * 3600 };

void doctor_check_silo(struct doctor *doctor)
{
    const struct doctor_daemon *daemon = &doctor->daemon;
    const char *address = doctor->config->silo.address;
    if (!daemon->is_there)
        return; /* the other check says whether there is one */
    const char *state = daemon->silo_state ? daemon->silo_state : "unknown";
    if (strcmp(state, "online") == 0) {
        doctor_say(doctor, DOCTOR_OK, "logged in at %s as %s", address, daemon->silo_uid ? daemon->silo_uid : "-");
    } else {
        doctor_say(doctor, DOCTOR_FAILURE, "not logged in at %s (%s)%s%s", address, state,
                   daemon->silo_error ? ": " : "", daemon->silo_error ? daemon->silo_error : "");
        doctor_advise(doctor, "%s",
                      daemon->silo_hint ? daemon->silo_hint
                                        : "it tries again by itself; at once: posternctl silo connect");
    }
    if (daemon->silo_alias_error) {
        doctor_say(doctor, DOCTOR_FAILURE, "the silo refuses the alias \"%s\": %s", doctor->config->silo.alias,
                   daemon->silo_alias_error);
        doctor_advise(doctor, "choose another one in silo.alias, then: posternctl reload");
    }
}

static void judge_date(struct doctor *doctor, int64_t expires)
{
    char days[DOCTOR_DAYS_SIZE];
    int64_t now = time(NULL);
    if (expires == 0)
        return;
    doctor_format_days(now, expires, days);
    const bool is_pinned = doctor->config->silo.address[0] == '=';
    if (expires - now >= WARN_DAYS * S_PER_DAY) {
        doctor_say(doctor, DOCTOR_OK, "the silo's certificate ends %s", days);
    } else if (is_pinned) { /* a pin is about the certificate and not its date */
        doctor_say(doctor, DOCTOR_WARNING, "the silo's certificate %s %s", expires < now ? "ended" : "ends", days);
        doctor_advise(doctor,
                      "ask the silo's operator; when it is replaced the gateway stops until: posternctl silo repin");
    } else {
        doctor_say(doctor, expires < now ? DOCTOR_FAILURE : DOCTOR_WARNING, "the silo's certificate %s %s",
                   expires < now ? "ended" : "ends", days);
        doctor_advise(doctor, "ask the silo's operator to renew it");
    }
}

static void ask(struct doctor *doctor, void *ctx)
{
    (void)ctx;
    const struct config *config = doctor->config;
    const char *pin = config->silo.pin ? config->silo.pin : doctor->daemon.silo_pin;
    struct silo_probe probe;
    silo_probe(doctor->loop, config->silo.address, config->silo.ca_file, pin, doctor_time(doctor, SILO_MS), &probe);
    if (!probe.is_silo) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: %s", config->silo.address, probe.error);
        doctor_advise(doctor, "%s",
                      pin && probe.pin[0] && strcmp(pin, probe.pin) != 0
                          ? "ask the silo's operator whether its certificate was changed; if so: posternctl silo repin"
                          : "see that silo.address is right, and that nothing in between stops connections to it");
    } else {
        doctor_say(doctor, DOCTOR_OK, "%s at %s answers%s%s%s", probe.name ? probe.name : "a silo",
                   config->silo.address, pin ? ", with the certificate that is expected" : "",
                   !pin && probe.pin[0] && config->silo.address[0] == '=' ? "; its certificate is " : "",
                   !pin && config->silo.address[0] == '=' ? probe.pin : "");
    }
    judge_date(doctor, probe.expires);
    silo_probe_clear(&probe);
}

void doctor_check_silo_certificate(struct doctor *doctor)
{
    doctor_apart(doctor, SILO_MS, ask, NULL);
}
