/* ctl_main.c - posternctl: one command, done here or by the daemon */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/resolver.h"
#include "gateway/admin_command.h"
#include "gateway/ctl.h"
#include "gateway/ctl_admin.h"
#include "gateway/ctl_client.h"
#include "gateway/ctl_completion.h"
#include "gateway/ctl_doctor.h"
#include "gateway/ctl_mapping.h"
#include "gateway/ctl_setup.h"
#include "gateway/ctl_state.h"
#include "gateway/service.h"

/* What is not the daemon's. */
static const struct ctl_local locals[] = {
    { "admin", "add", "admin add NAME", ctl_admin_password },
    { "admin", "passwd", "admin passwd NAME", ctl_admin_password },
    { "doctor", NULL, "doctor [--only TOPIC]", ctl_doctor },
    { "setup", NULL, "setup [OPTION VALUE ...] [--yes] [--dry-run]", ctl_setup },
    { "backup", NULL, CTL_BACKUP_USAGE, ctl_backup },
    { "restore", NULL, CTL_RESTORE_USAGE, ctl_restore },
    { "mapping", "export", CTL_EXPORT_USAGE, ctl_mapping_export },
    { "mapping", "import", CTL_IMPORT_USAGE, ctl_mapping_import },
    { "completion", NULL, CTL_COMPLETION_USAGE, ctl_completion },
    { NULL, NULL, NULL, NULL },
};

/* Each once, in the order in which the daemon has them; then ours. */
static void print_verbs(FILE *to)
{
    const char *last = "";
    size_t last_len = 0;
    const char *usage;
    for (size_t i = 0; (usage = admin_usage(i)) != NULL; i++) {
        size_t len = strcspn(usage, " ");
        if (len != last_len || strncmp(usage, last, len) != 0)
            fprintf(to, "%s%.*s", i ? ", " : "", (int)len, usage);
        last = usage;
        last_len = len;
    }
    for (const struct ctl_local *local = locals; local->verb; local++)
        if (!local->sub)
            fprintf(to, ", %s", local->verb);
}

static void print_usage(FILE *to)
{
    fputs("usage: posternctl [-c FILE | -s SOCKET] [-t SECONDS] [--json] VERB ...\n"
          "  -c FILE    configuration that names the control socket (default " CTL_DEFAULT_CONFIG ")\n"
          "  -s SOCKET  the control socket itself\n"
          "  -t SECONDS without a sign of life until the daemon is given up (default 60; 0: never)\n"
          "  --json     one JSON document instead of tables\n"
          "The verbs: ",
          to);
    print_verbs(to);
    fputs(".\nA verb alone shows how it is used; posternctl(1) says what it does.\n", to);
}

static bool is_it(const struct ctl_local *local, int argc, char **argv)
{
    return strcmp(argv[0], local->verb) == 0 && (!local->sub || (argc > 1 && strcmp(argv[1], local->sub) == 0));
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    for (const struct ctl_local *local = locals; local->verb; local++)
        if (is_it(local, argc, argv))
            return local->run(ctl, argc, argv);
    return ctl_client_ask(ctl, argc, (const char *const *)argv, NULL);
}

static bool read_patience(const char *text, unsigned *out)
{
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out <= CTL_PATIENCE_MAX_S;
}

int main(int argc, char **argv)
{
    struct ctl ctl = { .config_file = CTL_DEFAULT_CONFIG, .patience_s = CTL_PATIENCE_S, .locals = locals };
    int i = 1;
    signal(SIGXFSZ, SIG_IGN); /* a write that fails has a message */
    file_open_standard_streams();
    (void)!service_forbid_core(); /* passwords are typed here; a kernel that will not is no reason to do nothing */
    if (argc == 2 && strcmp(argv[1], RESOLVER_ARGUMENT) == 0)
        resolver_main(); /* doctor asks the DNS */
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            ctl.json = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_usage(stdout);
            return EX_OK;
        } else if ((strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "-s") == 0) && i + 1 < argc) {
            *(argv[i][1] == 'c' ? &ctl.config_file : &ctl.socket_path) = argv[i + 1];
            i++;
        } else if (strcmp(argv[i], "-t") == 0 && i + 1 < argc && read_patience(argv[i + 1], &ctl.patience_s)) {
            i++;
        } else {
            print_usage(stderr);
            return 2;
        }
    }
    if (i == argc) {
        print_usage(stderr);
        return 2;
    }
    return run(&ctl, argc - i, argv + i);
}
