/* config_changes.h - which changes of the configuration need a restart */
#pragma once

struct config;
struct strbuf;

/* Adds what is used at the start only and differs, as "needs a restart: KEY, KEY"; nothing when all of it is the same. */
void config_find_restart_changes(const struct config *was, const struct config *is, struct strbuf *message);
