/* config_trust.h - the settings that decide who may pass, and whom they were changed for: for the audit log */
#pragma once

struct config;
struct strbuf;

/* All of them, as "KEY = VALUE; KEY = VALUE". */
void config_describe_trust(const struct config *config, struct strbuf *out);
/* Those that differ, as they were and as they are; both have the same listeners (config_changes.h). Nothing when all of it is the
 * same. */
void config_find_trust_changes(const struct config *was, const struct config *is, struct strbuf *before,
                               struct strbuf *after);
