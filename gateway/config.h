/* config.h - the configuration file (libconfuse syntax; docs/postern.conf.5 lists every key)
 *
 * Everything is checked while reading: a configuration that exists is a valid one. Each mistake is reported as
 * "file:line: what is wrong, what was expected", all of them, not only the first. A loaded configuration never
 * changes; a reload makes a new one.
 */
#pragma once
#include "base/log.h"
#include "gateway/quota.h"
#include "smtp/smtp_client.h"
#include "smtp/smtp_server.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* A mail server that proves who it is by its TLS certificate, and vouches for the senders of domains. */
struct config_peer {
    char *identity;  /* "sha256:..." or a DNS name (tls_context_know_peers()) */
    char **subjects; /* of its domains, as mapping/subject.h has them; NULL-terminated */
};

struct config_listener {
    char *name;
    char *address;
    bool lmtp;
    enum smtp_tls_policy tls;
    char *certificate, *key;    /* files; NULL */
    char **clients;             /* NULL-terminated; NULL: everybody */
    char **proxy_protocol;      /* NULL-terminated; NULL: nobody */
    char **xclient, **xforward; /* likewise */
    char **exempt;              /* from limits per client; likewise, NULL: only clients of a unix socket */
    unsigned max_sessions, max_sessions_per_client;
    unsigned connections_per_minute, messages_per_minute, recipients_per_minute; /* per client; 0: no limit */
    unsigned max_messages, max_junk_commands;                                    /* in a session; 0: no limit */
    unsigned max_recipients, max_errors;
    int64_t command_timeout_ms, data_timeout_ms, greet_delay_ms;
    char *trust_authserv_id; /* NULL: none */
    bool assume_authenticated;
    struct config_peer *peers;
    size_t peer_count;
    char *peer_ca; /* file; NULL: all are known by pins */
};

enum config_relay_kind { CONFIG_RELAY_MAILDIR, CONFIG_RELAY_SMTP, CONFIG_RELAY_LMTP, CONFIG_RELAY_SMTPS };
struct config_relay {
    char *url;
    enum config_relay_kind kind;
    char *target; /* maildir: directory; else host:port or unix:path */
    enum smtp_client_tls tls;
    char *ca_file;       /* NULL: the system's */
    char *fingerprint;   /* "sha256:..." of its certificate, instead of name and CA; NULL */
    char *user;          /* NULL: no AUTH */
    char *password_file; /* with user; gateway/relay_password.h */
    char *helo;          /* NULL: hostname */
    unsigned max_connections;
};
enum { CONFIG_RELAYS_MAX = 16 };

/* How much of the envelope sender must match a mapping when Postfix asks at RCPT. */
enum config_match {
    CONFIG_MATCH_ADDRESS, /* the address, but for tags that mail servers add */
    CONFIG_MATCH_DOMAIN,  /* the domain, or one above or below it */
    CONFIG_MATCH_NONE,    /* nothing: only the recipient is judged */
};
enum { CONFIG_ADMINS_MAX = 100 };
enum config_group_invites { CONFIG_INVITES_MEMBERS, CONFIG_INVITES_NOBODY };
enum config_unknown_senders { CONFIG_UNKNOWN_REJECT, CONFIG_UNKNOWN_HOLD };
enum config_proof { CONFIG_PROOF_DMARC, CONFIG_PROOF_DKIM, CONFIG_PROOF_NONE };

enum config_body { CONFIG_BODY_AUTO, CONFIG_BODY_TEXT, CONFIG_BODY_HTML }; /* in the order of convert_body_choice */
enum config_quote { CONFIG_QUOTE_FOLD, CONFIG_QUOTE_KEEP };                /* in that of convert_history_mode */

/* Signs all our mail. */
struct config_dkim {
    char *selector;
    char *key;    /* file */
    char *domain; /* in ASCII */
};

/* Of mail of unknown senders, in the section `policy`; see hold.h. */
struct config_hold {
    int64_t for_ms;                                      /* then it is over */
    unsigned messages, sender_messages, domain_messages; /* in all; of one author; of one domain */
    int64_t size, sender_size, domain_size;              /* octets, likewise */
};

struct config {
    char *file;
    char *state_dir, *domain, *hostname;
    char *user; /* NULL: stay who started it */
    struct {
        char *address, *alias, *pin, *ca_file;
        char *oidc_token_file; /* NULL: none; it may be absent, see silo_token.h */
        bool echo;
        int64_t retry_longest_ms;
    } silo;
    int64_t session_memory; /* bytes that the sessions of all listeners may hold together */
    struct config_listener *listeners;
    size_t listener_count;
    struct config_relay *relays; /* one at least, in the order in which they are tried */
    size_t relay_count;
    struct {
        char *from_name; /* what authors are called; see display_name.h */
    } mail;
    struct {
        enum config_body body;   /* which form of a mail is shown */
        enum config_quote quote; /* where earlier mail that a mail quotes stands */
        bool quotes_answered;    /* mail of ours quotes what it answers */
        bool names_others;       /* a mail's other readers are named */
    } content;
    struct {
        char *text; /* as invitation_text.h has it: the file's, or ours */
    } invitation;
    struct config_dkim *dkim;
    size_t dkim_count; /* 0: mail is not signed here */
    struct {
        enum config_proof proof;
        enum smtp_case local_parts; /* does the case of an author's local part make a difference? */
        char **trust_arc_sealers;   /* domains, A-labels in lower case, NULL-terminated; NULL: none */
        enum config_unknown_senders unknown_senders;
        enum config_group_invites group_invites; /* whose invitations are accepted without an administrator */
        int64_t max_message;
        unsigned automatic_per_hour; /* of a pair; 0: no limit */
        char **admins;               /* aliases in the silo, NULL-terminated; NULL: none */
        unsigned requests_per_day;   /* of a member; 0: no limit */
    } policy;
    char *hold_key; /* file, in the section `policy` */
    struct config_hold hold;
    struct {
        char **servers;     /* that are asked for DNS, "ADDRESS:PORT", NULL-terminated; NULL: the system's */
        char *trust_anchor; /* file; NULL: answers are not validated */
        int64_t dns_timeout_ms;
    } verify;
    struct {
        struct quota_rates quotas;
        unsigned
            guesses; /* of wrong recipients, before a client's network is slowed; 0: never (smtp/smtp_guessing.h) */
    } limits;
    struct {
        int64_t first_ms, longest_ms, give_up_ms, warn_after_ms;
        int64_t reports_ms; /* after that, how long reports about a message are taken */
    } retry;
    struct {
        char *socketmap, *policy; /* addresses of the two servers; NULL: none */
        char **clients;           /* who may ask them, NULL-terminated; NULL: everybody */
        char *recipients_db;      /* file that is kept for Postfix; NULL: none */
        enum config_match policy_match;
    } postfix;
    struct {
        char *socket;
        char *http;   /* address of the web page, on this machine; NULL: none */
        char *origin; /* its public one, "https://postern.example.org"; NULL: none */
        int64_t session_idle_ms, session_longest_ms;
    } admin;
    struct {
        char *http;     /* where figures are told; NULL: nowhere */
        char **clients; /* to whom, NULL-terminated; NULL: to whoever can connect */
    } metrics;
    struct {
        enum log_level level;
        enum log_target target;
        char *socket; /* of the journal or syslog; NULL: the usual one */
    } log;
};

/* Reads file. NULL when it has mistakes; problems then holds one per line ("file:line: ..."). Never both. */
struct config *config_load(const char *file, struct strbuf *problems) __attribute__((warn_unused_result));
void config_free(struct config **config);
/* The control socket's path (the default when none is named) from a file that may have mistakes elsewhere; for asking a
 * running daemon. NULL when nothing can be made of the file. The result is the caller's. */
char *config_find_socket(const char *file) __attribute__((warn_unused_result));

/* "30s" "10m" "4h" "7d" -> milliseconds; "512K" "35M" "2G" or plain bytes. 1 ok, -1 not that form or out of range. */
int config_parse_duration(const char *text, int64_t *ms_out) __attribute__((warn_unused_result));
int config_parse_size(const char *text, int64_t *bytes_out) __attribute__((warn_unused_result));
