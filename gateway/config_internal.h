/* config_internal.h - what config.c (parsing, reporting), config_schema.c (keys, values) and the rooms of the sections share */
#pragma once
#include "gateway/config.h"
#include <confuse.h>
#include <stdbool.h>

struct config_report {
    const char *file;
    struct strbuf *problems;
    unsigned count;
    bool is_unknown_key; /* of the last error */
    int error_line;
    int last_line_reported; /* mistakes up to here were reported by an earlier pass */
    int checking_from_line;
    const cfg_opt_t *list_seen; /* see config_list_grew() */
    unsigned list_size;
};

#define CONFIG_DEFAULT_SOCKET "/run/postern/control"

void config_problem(struct config_report *report, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void config_value_problem(cfg_t *cfg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A list's validator is called after each entry and once more at the end of the list: false that last time. */
bool config_list_grew(const cfg_opt_t *opt, unsigned size);

/* A word and what it stands for; a list ends with a NULL word. */
struct config_keyword {
    const char *word;
    int value;
};

cfg_t *config_schema_new(void);

/* config_mail.c */
int config_check_from_name(cfg_t *cfg, cfg_opt_t *opt);
int config_check_selector(cfg_t *cfg, cfg_opt_t *opt);
int config_check_signing_key(cfg_t *cfg, cfg_opt_t *opt);
void config_take_mail(cfg_t *cfg, struct config *config, struct config_report *report);
void config_free_mail(struct config *config);

/* config_content.c */
extern const struct config_keyword config_content_bodies[], config_content_quotes[], config_content_answered[];
void config_take_content(cfg_t *cfg, struct config *config);

/* config_listen.c */
extern const struct config_keyword config_listen_tls[], config_listen_protocols[];
enum { CONFIG_LISTEN_OPTIONS_MAX = 32 }; /* keys, and the end */
void config_listen_options(cfg_opt_t options_out[static CONFIG_LISTEN_OPTIONS_MAX]);
void config_take_listeners(cfg_t *cfg, struct config *config, struct config_report *report);
void config_check_proof_of_strangers(const struct config *config, struct config_report *report);
bool config_is_port_0(const char *address); /* a different one each time */

/* config_peers.c */
int config_check_tls_peers(cfg_t *cfg, cfg_opt_t *opt);
/* After tls and assume_authenticated. */
void config_take_tls_peers(cfg_t *section, struct config_listener *listener, struct config_report *report);
void config_free_tls_peers(struct config_listener *listener);

/* config_policy.c */
extern const struct config_keyword config_unknown_senders[], config_group_invites[], config_local_parts[],
    config_proofs[];
enum { CONFIG_POLICY_OPTIONS_MAX = 24 }; /* keys, and the end */
void config_policy_options(cfg_opt_t options_out[static CONFIG_POLICY_OPTIONS_MAX]);
void config_take_policy(cfg_t *cfg, struct config *config, struct config_report *report);
int config_check_admins(cfg_t *cfg, cfg_opt_t *opt);
void config_free_policy(struct config *config);

/* config_invitation.c */
int config_check_invitation(cfg_t *cfg, cfg_opt_t *opt);
void config_take_invitation(cfg_t *cfg, struct config *config);
void config_free_invitation(struct config *config);

/* config_verify.c */
enum { CONFIG_VERIFY_OPTIONS_MAX = 4 }; /* keys, and the end */
void config_verify_options(cfg_opt_t options_out[static CONFIG_VERIFY_OPTIONS_MAX]);
int config_check_resolver(cfg_t *cfg, cfg_opt_t *opt);
int config_check_trust_anchor(cfg_t *cfg, cfg_opt_t *opt);
int config_check_dns_timeout(cfg_t *cfg, cfg_opt_t *opt);
void config_take_verify(cfg_t *cfg, struct config *config);
void config_free_verify(struct config *config);

/* config_admin.c */
enum { CONFIG_ADMIN_OPTIONS_MAX = 8 }; /* keys, and the end */
void config_admin_options(cfg_opt_t options_out[static CONFIG_ADMIN_OPTIONS_MAX]);
int config_check_admin_http(cfg_t *cfg, cfg_opt_t *opt);
int config_check_admin_origin(cfg_t *cfg, cfg_opt_t *opt);
int config_check_admin_session(cfg_t *cfg, cfg_opt_t *opt);
void config_take_admin(cfg_t *cfg, struct config *config, struct config_report *report);
void config_free_admin(struct config *config);

/* config_metrics.c; after the listeners were taken */
enum { CONFIG_METRICS_OPTIONS_MAX = 4 }; /* keys, and the end */
void config_metrics_options(cfg_opt_t options_out[static CONFIG_METRICS_OPTIONS_MAX]);
void config_take_metrics(cfg_t *cfg, struct config *config, struct config_report *report);
void config_free_metrics(struct config *config);

/* config_limits.c; after config_take_policy() */
enum { CONFIG_LIMITS_OPTIONS_MAX = 16 }; /* keys, and the end */
void config_limits_options(cfg_opt_t options_out[static CONFIG_LIMITS_OPTIONS_MAX]);
void config_limits_set_checks(cfg_t *cfg);
void config_take_limits(cfg_t *cfg, struct config *config, struct config_report *report);

struct config *config_from_parsed(cfg_t *cfg, const char *file, struct config_report *report);

/* Of the schema. */
char *config_copy_string(cfg_t *cfg, const char *key); /* NULL when it is not set */
char **config_copy_list(cfg_t *cfg, const char *key);  /* NULL-terminated; NULL when it is empty */
void config_free_list(char **list);
int64_t config_duration(cfg_t *cfg, const char *key); /* milliseconds; 0 when it is none, which was reported */
int config_word(cfg_t *cfg, const struct config_keyword *words, const char *key);
bool config_is_address(const char *text); /* host:port, [ipv6]:port or unix:/path */
bool config_is_local_address(const char *address);

/* config_relay.c */
extern const struct config_keyword config_relay_tls[];
int config_check_relay_url(cfg_t *cfg, cfg_opt_t *opt);
int config_check_relay_user(cfg_t *cfg, cfg_opt_t *opt);
int config_check_password_file(cfg_t *cfg, cfg_opt_t *opt);
void config_take_relays(cfg_t *cfg, struct config *config, struct config_report *report);
void config_free_relays(struct config *config);
