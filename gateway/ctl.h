/* ctl.h - posternctl: what it was called with, and the verbs that it does itself
 *
 * Most verbs are the daemon's (admin_command.h): they are sent to it by ctl_client.h. The ones here need no daemon, or ask
 * somebody something first (ctl_main.c has their table).
 */
#pragma once
#include <stdbool.h>

#define CTL_DEFAULT_CONFIG "/etc/postern/postern.conf"

enum { CTL_PATIENCE_S = 60, CTL_PATIENCE_MAX_S = 24 * 3600 };

enum ctl_exit { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 2 }; /* and those of sysexits.h */

struct ctl_local;
struct ctl {
    const char *config_file;
    const char *socket_path; /* NULL: as the configuration says */
    bool json;
    unsigned patience_s;            /* without a sign of life from the daemon; 0: for ever */
    const struct ctl_local *locals; /* the table in ctl_main.c, for those who list what there is */
};

/* argv[0] is the verb. The exit status. */
typedef int ctl_verb(const struct ctl *ctl, int argc, char **argv);
/* One that is not the daemon's. */
struct ctl_local {
    const char *verb, *sub; /* sub NULL: whatever stands behind the verb; verb NULL: the end of the table */
    const char *usage;      /* one line, as admin_command.c has them; for completion and for who asks how */
    ctl_verb *run;
};
