/* ctl_doctor.c - posternctl doctor: looks at everything, with advice */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/ctl.h"
#include "gateway/ctl_doctor.h"
#include "gateway/ctl_terminal.h"
#include "gateway/doctor.h"

enum { SHOWN_MAX = 4 * 1024 * 1024 };

static int usage(FILE *to)
{
    fprintf(to,
            "usage: posternctl [-c FILE] [--json] doctor [--only TOPIC]\n"
            "  TOPIC  one of: %s\n"
            "Exit status: 0 nothing is wrong, warnings perhaps; 1 something is; 2 usage.\n",
            doctor_topics());
    return to == stdout ? CTL_OK : CTL_USAGE;
}

/* Parts of the gateway write into the log what is said here in other words. */
static void say_nothing(enum log_level level, const char *line, void *ctx)
{
    (void)level;
    (void)line;
    (void)ctx;
}

int ctl_doctor_look(const struct ctl *ctl, bool json, const char *only)
{
    const struct doctor_settings settings = { .config_file = ctl->config_file,
                                              .socket_path = ctl->socket_path,
                                              .only = only };
    struct strbuf out;
    size_t count;
    log_set_sink(say_nothing, NULL);
    struct doctor *doctor = doctor_new(&settings);
    const struct doctor_finding *findings = doctor_findings(doctor, &count);
    strbuf_init(&out, SHOWN_MAX);
    doctor_show(findings, count, json, ctl_uses_colours(STDOUT_FILENO), &out);
    fputs(out.data, stdout);
    if (!json && geteuid() != 0)
        fputs("What only root and the daemon's user may see was not looked at.\n", stdout);
    int status = doctor_result(findings, count) == DOCTOR_FAILURE ? CTL_REFUSED : CTL_OK;
    strbuf_free(&out);
    doctor_free(&doctor);
    log_set_sink(NULL, NULL);
    return status;
}

int ctl_doctor(const struct ctl *ctl, int argc, char **argv)
{
    bool json = ctl->json;
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc && doctor_knows_topic(argv[i + 1])) {
            only = argv[++i];
        } else {
            bool is_question = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
            return usage(is_question ? stdout : stderr);
        }
    }
    return ctl_doctor_look(ctl, json, only);
}
