/* ctl_state.h - posternctl: backup, and restore (docs/BACKUP.md) */
#pragma once
#include "gateway/ctl.h"
#include "mapping/store_backup.h"
#include <stdio.h>

struct admin_output;
struct config;
struct strbuf;

#define CTL_BACKUP_USAGE  "backup FILE|-"
#define CTL_RESTORE_USAGE "restore FILE [--dry-run yes|no] [--sure yes|no]"

ctl_verb ctl_backup, ctl_restore;

/* Says it on standard error; -1. */
int ctl_state_fail(const char *what, const char *why);
/* The database's path. */
void ctl_state_database(const struct config *config, struct strbuf *out);
/* A bar of progress for work that store_backup.h tells of: begin with { 0 }, clear at the end. */
struct ctl_state_bar {
    struct ctl_progress *progress;
    const char *what;
};
struct store_backup_watch ctl_state_watch(struct ctl_state_bar *bar);
void ctl_state_bar_clear(struct ctl_state_bar *bar);
/* What a backup says of itself. */
void ctl_state_add_about(struct admin_output *output, const struct store_backup_about *about);
/* Files that the configuration names and that are in no backup: keys, certificates, passwords; as a list "not_in_it". */
void ctl_state_add_absent(struct admin_output *output, const struct config *config);
void ctl_state_show(const struct admin_output *output, bool json, FILE *to);
