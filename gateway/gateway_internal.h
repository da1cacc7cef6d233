/* gateway_internal.h - what the files of the gateway share among themselves; for nobody else
 *
 * gateway.c makes, wires, starts, stops and frees the parts; gateway_listeners.c has the listeners, gateway_room.c looks
 * whether there is room for more mail, gateway_reload.c takes a new configuration, gateway_status.c answers questions.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/resolver.h"
#include "base/xmalloc.h"
#include "gateway/gateway.h"
#include "gateway/measures.h"
#include "gateway/parts.h"

struct admin_socket;
struct config;
struct config_listener;
struct history_figures;
struct loop_signal;
struct mapping_expiry;
struct metrics;
struct poster;
struct returns;
struct smtp_budget;
struct smtp_listener;
struct timer;
struct watchdog;
struct web;

struct gateway {
    struct parts parts;
    struct inbound *inbound;
    struct outbound *outbound;
    struct silo_link *link;
    struct poster *poster;
    struct relay *relay;
    struct returns *returns;
    struct mapping_expiry *expiry;
    struct admin_socket *admin;
    struct web *web; /* NULL: no page */
    struct postfix *postfix;
    struct smtp_listener **listeners; /* one per listen section, in its order */
    struct smtp_budget *budget;       /* the memory of their sessions */
    struct smtp_guessing *guessing;   /* likewise of all */
    unsigned listener_count, draining;
    struct loop_signal *on_hup, *on_term, *on_int;
    struct timer *housekeeping, *log_timer;
    struct watchdog *watchdog; /* from READY=1 on */
    struct measures measures;
    struct history *history;
    struct metrics *metrics;
    struct gateway_room room;
    struct xmalloc_floor memory_floor;
    int64_t head_due;                 /* monotonic: the head of the audit log goes into the log again */
    int64_t started_at, started_wall; /* monotonic, and by the wall clock */
    int64_t open_files;               /* how many descriptors we may have */
    bool debug, stopping;
    struct timer *stop_timer;
    int64_t stop_deadline; /* monotonic */
    char *busy_reason;     /* NULL: not busy */
};

/* A file in state_dir; caller frees. */
char *gateway_state_file(const struct config *config, const char *name);
/* "WHAT PATH: " and what errno says; caller frees. */
char *gateway_errno_text(const char *what, const char *path);

/* NULL with what is wrong in *error_out (caller frees). */
/* All that the configuration names; on sockets that a service manager has opened where there are such. 1, or -1 with the reason. */
int gateway_open_listeners(struct gateway *gateway, char **error_out) __attribute__((warn_unused_result));
/* 1 taken; -1 with what is wrong in *message, and nothing was changed. */
int gateway_reconfigure_listeners(struct gateway *gateway, const struct config *config, struct strbuf *message)
    __attribute__((warn_unused_result));

/* Looks at the room that there is, and tells the listeners and the silo's side whether to take more. */
void gateway_check_room(struct gateway *gateway);

/* A history_read, ctx: the gateway. */
void gateway_read_history(struct history_figures *out, void *ctx);

/* What a start and a reload have in common. */
void gateway_use_log_level(const struct gateway *gateway);
void gateway_warn_of_trust(const struct config *config); /* what an operator should hear about each time */
struct resolver_settings gateway_resolver_settings(const struct config *config); /* borrows of the configuration */
/* -1 with *error_out (caller frees) */
int gateway_start_verify(struct gateway *gateway, char **error_out) __attribute__((warn_unused_result));
