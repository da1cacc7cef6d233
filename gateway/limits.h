/* limits.h - what the system lets us have, and how it is shared out
 *
 * Every session of a listener may need two descriptors (its socket, and a file for its content), a connection to the
 * relay likewise. When the process may not have that many, sessions get fewer, so that the silo, the relay, the
 * database and the control socket are never without.
 */
#pragma once
#include <stdint.h>

struct config;

/* Raises the limit of open files (RLIMIT_NOFILE) as far as we may, and returns it. */
int64_t limits_raise_open_files(void);
/* How many open files a configuration needs at most. */
int64_t limits_open_files_needed(const struct config *config);
/* A listener's max_sessions (at least 1), scaled down alike for all listeners when open_files are too few. */
unsigned limits_fit_sessions(const struct config *config, unsigned max_sessions, int64_t open_files);
/* Says so in the log when listeners get fewer sessions than configured. */
void limits_warn(const struct config *config, int64_t open_files);
/* How many bytes of content the sessions of a listener may hold together while it is not accepted yet. */
int64_t limits_spool_max(const struct config *config);
