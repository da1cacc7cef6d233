/* store_schema.c - the tables, as migrations from each version to the next
 *
 * A migration runs in one transaction and ends by setting user_version. One that was ever released is never changed.
 * Times are milliseconds since 1970. States and kinds are words, so that a shell on the database explains itself.
 */
#include "mapping/store_internal.h"

/* The conditions of the partial indexes are written with OR, word for word as in the statements that use them: that is
 * what the query planner recognises. Settled entries are in none of these indexes. */
#define UNSETTLED "(state = 'waiting' OR state = 'routed' OR state = 'held' OR state = 'dropped')"
#define SCHEDULED "(state = 'waiting' OR state = 'routed')"

#define VERSION_1_PEOPLE                                                                                               \
    "CREATE TABLE account ("                                                                                           \
    "  silo TEXT NOT NULL PRIMARY KEY,"                                                                                \
    "  pin TEXT,"                                                                                                      \
    "  uid TEXT,"                                                                                                      \
    "  node TEXT,"                                                                                                     \
    "  alias TEXT"                                                                                                     \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE member ("                                                                                            \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  alias TEXT NOT NULL UNIQUE,"                                                                                    \
    "  uid TEXT,"                                                                                                      \
    "  local_part TEXT NOT NULL UNIQUE,"                                                                               \
    "  greeted INTEGER NOT NULL DEFAULT 0 CHECK (greeted IN (0, 1)),"                                                  \
    "  removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),"                                                  \
    "  created_at INTEGER NOT NULL"                                                                                    \
    ") STRICT;"                                                                                                        \
    "CREATE UNIQUE INDEX member_uid ON member (uid) WHERE removed = 0;"                                                \
    "CREATE INDEX member_ungreeted ON member (id) WHERE uid IS NULL AND greeted = 0 AND removed = 0;"                  \
    "CREATE TABLE correspondent ("                                                                                     \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  address TEXT NOT NULL UNIQUE,"                                                                                  \
    "  alias TEXT UNIQUE,"                                                                                             \
    "  created_at INTEGER NOT NULL"                                                                                    \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX correspondent_without_alias ON correspondent (id) WHERE alias IS NULL;"                              \
    "CREATE TABLE mapping ("                                                                                           \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  correspondent_id INTEGER NOT NULL REFERENCES correspondent (id),"                                               \
    "  member_id INTEGER NOT NULL REFERENCES member (id),"                                                             \
    "  state TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'denied', 'suspended', 'revoked')),"              \
    "  direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'both')),"                                            \
    "  expires_at INTEGER NOT NULL DEFAULT 0,"                                                                         \
    "  max_size INTEGER NOT NULL DEFAULT 0,"                                                                           \
    "  daily INTEGER NOT NULL DEFAULT 0,"                                                                              \
    "  note TEXT NOT NULL DEFAULT '',"                                                                                 \
    "  created_at INTEGER NOT NULL,"                                                                                   \
    "  created_by TEXT NOT NULL DEFAULT '',"                                                                           \
    "  decided_at INTEGER NOT NULL DEFAULT 0,"                                                                         \
    "  decided_by TEXT NOT NULL DEFAULT '',"                                                                           \
    "  reason TEXT NOT NULL DEFAULT '',"                                                                               \
    "  announced INTEGER NOT NULL DEFAULT 0 CHECK (announced IN (0, 1))"                                               \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX mapping_pair ON mapping (correspondent_id, member_id);"                                              \
    "CREATE UNIQUE INDEX mapping_live ON mapping (correspondent_id, member_id)"                                        \
    "  WHERE state IN ('requested', 'approved', 'suspended');"                                                         \
    "CREATE INDEX mapping_member ON mapping (member_id);"                                                              \
    "CREATE INDEX mapping_approved ON mapping (member_id) WHERE state = 'approved';"                                   \
    "CREATE INDEX mapping_unannounced ON mapping (id) WHERE state = 'approved' AND announced = 0;"

#define VERSION_1_CONVERSATIONS                                                                                        \
    "CREATE TABLE thread ("                                                                                            \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  threadid TEXT UNIQUE,"                                                                                          \
    "  subject TEXT NOT NULL DEFAULT '',"                                                                              \
    "  created_at INTEGER NOT NULL"                                                                                    \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE thread_party ("                                                                                      \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  thread_id INTEGER NOT NULL REFERENCES thread (id),"                                                             \
    "  member_id INTEGER REFERENCES member (id),"                                                                      \
    "  correspondent_id INTEGER REFERENCES correspondent (id),"                                                        \
    "  alias TEXT NOT NULL,"                                                                                           \
    "  uid TEXT NOT NULL,"                                                                                             \
    "  UNIQUE (thread_id, alias, uid)"                                                                                 \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE content ("                                                                                           \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* never the id of erased content again */                               \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  data BLOB NOT NULL"                                                                                             \
    ") STRICT;"

#define VERSION_1_QUEUES                                                                                               \
    "CREATE TABLE inbound ("                                                                                           \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  kind TEXT NOT NULL CHECK (kind IN ('mail', 'notice')),"                                                         \
    "  state TEXT NOT NULL CHECK (state IN ('waiting', 'routed', 'held', 'settled', 'dropped')),"                      \
    "  sender TEXT NOT NULL,"                                                                                          \
    "  from_address TEXT NOT NULL,"                                                                                    \
    "  correspondent_id INTEGER REFERENCES correspondent (id),"                                                        \
    "  message_id TEXT,"                                                                                               \
    "  reference_ids TEXT NOT NULL DEFAULT '',"                                                                        \
    "  is_automatic INTEGER NOT NULL,"                                                                                 \
    "  content_id INTEGER REFERENCES content (id),"                                                                    \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  thread_id INTEGER REFERENCES thread (id),"                                                                      \
    "  subject TEXT,"                                                                                                  \
    "  received_at INTEGER NOT NULL,"                                                                                  \
    "  next_attempt_at INTEGER NOT NULL,"                                                                              \
    "  attempts INTEGER NOT NULL DEFAULT 0,"                                                                           \
    "  last_error TEXT NOT NULL DEFAULT ''"                                                                            \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX inbound_due ON inbound (next_attempt_at, id) WHERE " SCHEDULED ";"                                   \
    "CREATE INDEX inbound_live ON inbound (state, id) WHERE " UNSETTLED ";"                                            \
    "CREATE INDEX inbound_content ON inbound (content_id) WHERE content_id IS NOT NULL;"                               \
    "CREATE INDEX inbound_message_id ON inbound (message_id) WHERE message_id IS NOT NULL;"                            \
    "CREATE INDEX inbound_from ON inbound (correspondent_id, received_at) WHERE correspondent_id IS NOT NULL;"         \
    "CREATE TABLE inbound_recipient ("                                                                                 \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  member_id INTEGER NOT NULL REFERENCES member (id),"                                                             \
    "  mapping_id INTEGER REFERENCES mapping (id),"                                                                    \
    "  UNIQUE (inbound_id, member_id)"                                                                                 \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE outbound ("                                                                                          \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  state TEXT NOT NULL CHECK (state IN ('waiting', 'routed', 'held', 'settled', 'dropped')),"                      \
    "  tmtp_msgid TEXT NOT NULL,"                                                                                      \
    "  thread_id INTEGER REFERENCES thread (id),"                                                                      \
    "  member_id INTEGER NOT NULL REFERENCES member (id),"                                                             \
    "  author_alias TEXT NOT NULL,"                                                                                    \
    "  message_id TEXT NOT NULL,"                                                                                      \
    "  head TEXT NOT NULL,"                                                                                            \
    "  content_id INTEGER REFERENCES content (id),"                                                                    \
    "  size INTEGER NOT NULL,"                                                                                         \
    "  is_8bit INTEGER NOT NULL DEFAULT 0,"                                                                            \
    "  is_smtputf8 INTEGER NOT NULL DEFAULT 0,"                                                                        \
    "  posted_at INTEGER NOT NULL,"                                                                                    \
    "  received_at INTEGER NOT NULL,"                                                                                  \
    "  next_attempt_at INTEGER NOT NULL,"                                                                              \
    "  attempts INTEGER NOT NULL DEFAULT 0,"                                                                           \
    "  last_error TEXT NOT NULL DEFAULT ''"                                                                            \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX outbound_due ON outbound (next_attempt_at, id) WHERE " SCHEDULED ";"                                 \
    "CREATE INDEX outbound_live ON outbound (state, id) WHERE " UNSETTLED ";"                                          \
    "CREATE INDEX outbound_content ON outbound (content_id) WHERE content_id IS NOT NULL;"                             \
    "CREATE INDEX outbound_tmtp_msgid ON outbound (tmtp_msgid);"                                                       \
    "CREATE TABLE outbound_recipient ("                                                                                \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  outbound_id INTEGER NOT NULL REFERENCES outbound (id),"                                                         \
    "  correspondent_id INTEGER NOT NULL REFERENCES correspondent (id),"                                               \
    "  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),"                     \
    "  reply TEXT NOT NULL DEFAULT '',"                                                                                \
    "  UNIQUE (outbound_id, correspondent_id)"                                                                         \
    ") STRICT;"                                                                                                        \
    "CREATE TABLE settled ("                                                                                           \
    "  queue TEXT NOT NULL,"                                                                                           \
    "  count INTEGER NOT NULL,"                                                                                        \
    "  PRIMARY KEY (queue)"                                                                                            \
    ") STRICT;"                                                                                                        \
    "INSERT INTO settled (queue, count) VALUES ('in', 0), ('out', 0);"

#define VERSION_1_MEMORY                                                                                               \
    "CREATE TABLE message ("                                                                                           \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  thread_id INTEGER NOT NULL REFERENCES thread (id),"                                                             \
    "  message_id TEXT,"                                                                                               \
    "  tmtp_msgid TEXT,"                                                                                               \
    "  inbound_id INTEGER REFERENCES inbound (id),"                                                                    \
    "  outbound_id INTEGER REFERENCES outbound (id),"                                                                  \
    "  created_at INTEGER NOT NULL"                                                                                    \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX message_thread ON message (thread_id);"                                                              \
    "CREATE INDEX message_message_id ON message (message_id) WHERE message_id IS NOT NULL;"                            \
    "CREATE INDEX message_tmtp_msgid ON message (tmtp_msgid) WHERE tmtp_msgid IS NOT NULL;"                            \
    "CREATE INDEX message_inbound ON message (inbound_id) WHERE inbound_id IS NOT NULL;"                               \
    "CREATE TABLE trace ("                                                                                             \
    "  id INTEGER PRIMARY KEY,"                                                                                        \
    "  queue TEXT NOT NULL CHECK (queue IN ('in', 'out')),"                                                            \
    "  queue_id INTEGER NOT NULL,"                                                                                     \
    "  at INTEGER NOT NULL,"                                                                                           \
    "  event TEXT NOT NULL,"                                                                                           \
    "  detail TEXT NOT NULL"                                                                                           \
    ") STRICT;"                                                                                                        \
    "CREATE INDEX trace_entry ON trace (queue, queue_id);"                                                             \
    "CREATE TABLE seen_tmtp ("                                                                                         \
    "  msgid TEXT NOT NULL PRIMARY KEY,"                                                                               \
    "  seen_at INTEGER NOT NULL"                                                                                       \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE INDEX seen_tmtp_age ON seen_tmtp (seen_at);"                                                               \
    "CREATE TABLE seen_mail ("                                                                                         \
    "  digest BLOB NOT NULL PRIMARY KEY,"                                                                              \
    "  inbound_id INTEGER NOT NULL REFERENCES inbound (id),"                                                           \
    "  seen_at INTEGER NOT NULL"                                                                                       \
    ") STRICT, WITHOUT ROWID;"                                                                                         \
    "CREATE INDEX seen_mail_age ON seen_mail (seen_at);"

const char *const store_migrations[STORE_SCHEMA_VERSION] = {
    VERSION_1_PEOPLE VERSION_1_CONVERSATIONS VERSION_1_QUEUES VERSION_1_MEMORY "PRAGMA user_version = 1;",
};
