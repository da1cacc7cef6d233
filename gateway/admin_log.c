/* admin_log.c - the command `log-level` */
#include "base/log.h"
#include "gateway/acts.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"

/* The event is seen whichever of the two levels hides it. */
static void change_level(const struct admin_request *request, enum log_level was, enum log_level is)
{
    const struct store_actor actor = admin_actor(request);
    if (!log_enabled(LOG_LEVEL_INFO))
        log_set_level(is);
    log_info("log.level", "was=%s is=%s actor=%s", log_level_name(was), log_level_name(is), request->actor);
    log_set_level(is);
    acts_add(gateway_parts(request->gateway), &actor, "log.level", "log", log_level_name(was), log_level_name(is));
}

void admin_log_level(struct admin_request *request)
{
    enum log_level was = log_get_level(), is = was;
    if (request->argc == 1 && !log_level_parse(request->argv[0], &is)) {
        admin_misused(request, "\"%s\" is not a level; expected debug, info, warning or error", request->argv[0]);
        return;
    }
    if (is != was)
        change_level(request, was, is);
    admin_output_string(request->output, "level", log_level_name(is));
    if (request->argc == 1)
        admin_output_string(request->output, "was", log_level_name(was));
    admin_output_string(request->output, "configured",
                        log_level_name(gateway_parts(request->gateway)->config->log.level));
    admin_finish(request);
}
